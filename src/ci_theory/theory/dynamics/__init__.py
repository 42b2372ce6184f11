"""Training in time: gradient flow, grokking, one pass of SGD."""
