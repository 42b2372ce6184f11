"""Worlds of items and symbols: long tails, sequences, modular addition."""
