"""The process pool that carries the launches; travels to hosts that become parents."""
