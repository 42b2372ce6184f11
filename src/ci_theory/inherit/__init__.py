"""Downstream of upstream."""
