"""What the rows of a training set are like: repeated, noisy, contaminated, imbalanced, few."""
