"""Simulation against prediction: verdicts."""
