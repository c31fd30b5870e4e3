"""Boots that are thought up: the tree that would be built, and how long it would take."""
