"""The rolling buffer in, trained candidates out."""
