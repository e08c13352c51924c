"""The same as `ernie-triton build`: `python build_scripts/build.py --help`."""

import sys

from ernie_triton.cli import main

if __name__ == "__main__":
    sys.exit(main(["build", *sys.argv[1:]]))
