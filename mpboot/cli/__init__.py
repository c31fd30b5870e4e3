"""What is typed: the command line, its display, its exit codes."""
