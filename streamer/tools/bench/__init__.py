"""`streamer bench`: measures what the daemon costs, and how much it can take, on this machine."""
