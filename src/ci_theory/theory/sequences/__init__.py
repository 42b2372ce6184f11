"""Sequences whose law is unknown: what is lost until it is told, and what a pool of laws saves."""
