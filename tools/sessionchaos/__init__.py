"""Sessions in which agents, clients and the daemon are killed and stopped at random moments, and the judge of it."""
