"""Snapshot and journal in, the stream as it was, out."""
