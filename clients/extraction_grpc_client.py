"""The same as `ernie-triton ask extraction`."""

import sys

from ernie_triton.cli import main

if __name__ == "__main__":
    sys.exit(main(["ask", "extraction", *sys.argv[1:]]))
