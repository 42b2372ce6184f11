"""Scaling laws: exponents, phases, budgets, and what a metric makes of them."""
