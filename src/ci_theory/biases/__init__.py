"""Defects of the upstream data, one kind a file."""
