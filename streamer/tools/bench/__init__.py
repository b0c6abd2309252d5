"""`streamer bench`: a machine in, tables of what the daemon costs and holds on it out."""
