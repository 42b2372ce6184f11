"""Spectra, rows in groups, and the fixed points that every other room solves."""
