"""Pictures from stores and verdicts."""
