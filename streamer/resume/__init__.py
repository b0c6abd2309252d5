"""A snapshot and the journal in, the stream as it was out."""
