"""The command line as ``python -m mpboot`` starts it."""

from mpboot.cli.main import main

if __name__ == "__main__":
    main()
