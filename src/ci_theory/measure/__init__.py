"""What is read off a fit."""
