"""What training leaves in features, and what a probe on them learns."""
