"""A kept tree: the daemon that holds it, and its clients."""
