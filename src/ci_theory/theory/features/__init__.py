"""Ridge regression on random features."""
