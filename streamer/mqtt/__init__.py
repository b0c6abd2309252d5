"""The connection to the broker: `link` for the daemon, `publisher` and `subscriber` for tools, `broker` embedded."""
