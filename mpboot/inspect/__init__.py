"""ssh and rsh clients of this machine: which hang, in what, and why."""
