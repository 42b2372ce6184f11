"""Declared grids, planned, run and stored."""
