"""Hosts, and where they come from."""
