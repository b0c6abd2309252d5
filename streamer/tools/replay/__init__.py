"""Replay: a source (wave, CSV file, recording, river's data) in, messages on a broker out; record: the way back."""
