"""The connection to the broker: link (the daemon), publisher (tools), broker (inside this process)."""
