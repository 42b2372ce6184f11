"""Closed forms as sympy statements, for people and for limits."""
