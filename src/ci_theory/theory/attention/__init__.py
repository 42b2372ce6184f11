"""Learning in context by linear attention: few tasks, few sequences, any covariance."""
