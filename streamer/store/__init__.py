"""The state directory: the journal of samples and training outcomes, and snapshots of all states."""
