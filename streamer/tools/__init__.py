"""What a user runs beside the daemon."""
