"""A boot as the head sees it."""
