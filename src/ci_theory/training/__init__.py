"""From data to a fit: one pure function each."""
