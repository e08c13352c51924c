"""Entry point of `python -m perf`, the same as `ernie-triton perf`."""

import sys

from ernie_triton.cli import main

sys.exit(main(["perf", *sys.argv[1:]]))
