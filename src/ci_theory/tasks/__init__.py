"""Clean worlds, upstream and downstream."""
