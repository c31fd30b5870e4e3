"""What runs on a node, the head included; travels to the hosts."""
