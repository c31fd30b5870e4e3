"""``python -m mpboot``."""

import os
import sys

# Python has put the working directory first: nothing is to be imported from there, unless mpboot itself is.
if sys.path[:1] != [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]:  # noqa: PTH100, PTH120
    del sys.path[:1]

from mpboot.cli.main import main

if __name__ == "__main__":
    main()
