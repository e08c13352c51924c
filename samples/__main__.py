"""Entry of `python -m samples`."""

import sys

from samples.cli import main

if __name__ == "__main__":
    sys.exit(main())
