"""The same as `ernie-triton ask colbert`."""

import sys

from ernie_triton.cli import main

if __name__ == "__main__":
    sys.exit(main(["ask", "colbert", *sys.argv[1:]]))
