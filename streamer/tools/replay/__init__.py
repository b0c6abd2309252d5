"""Replay: a source (wave, CSV file, recording, river's data) in, messages to a broker out. Record: the reverse."""
