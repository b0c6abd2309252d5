"""The journal: what was accepted, what was learnt."""
