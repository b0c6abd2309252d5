"""What the daemon tells of itself: metrics, logs, systemd."""
