"""``python -m mpboot``."""

from mpboot.cli.main import main

if __name__ == "__main__":
    main()
