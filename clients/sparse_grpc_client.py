"""The same as `ernie-triton ask sparse`."""

import sys

from ernie_triton.cli import main

if __name__ == "__main__":
    sys.exit(main(["ask", "sparse", *sys.argv[1:]]))
