"""Phenomena small enough for tests of the command line."""
