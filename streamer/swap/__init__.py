"""A trained candidate in, a live network out, if it is the better one."""
