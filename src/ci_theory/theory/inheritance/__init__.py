"""What a second stage of training keeps of the first, and when that helps."""
