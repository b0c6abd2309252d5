"""What the daemon tells about itself: metrics, health, log lines, and notes to systemd."""
