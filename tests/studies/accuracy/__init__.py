"""The accuracy study: six real data sets through the daemon, beside simple methods (tests/studies/README.md)."""
