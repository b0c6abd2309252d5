"""What the daemon holds of one stream."""
