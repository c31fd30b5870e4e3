"""Pure decisions: no clock, no socket, no process, no file."""
