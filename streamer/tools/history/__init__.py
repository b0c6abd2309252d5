"""`streamer import` and `streamer export`: history into a state directory, and out of it."""
