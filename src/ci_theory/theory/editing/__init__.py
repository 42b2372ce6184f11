"""What edits, and rows that share a component, do to weights that are already there."""
