"""Training: the rolling buffer in, candidates out."""
