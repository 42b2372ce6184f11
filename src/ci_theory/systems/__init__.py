"""Models: features and estimators."""
