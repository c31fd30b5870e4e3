"""The parts of tools/cluster. Plain stdlib, Python 3.9; nothing of mpboot is imported."""
