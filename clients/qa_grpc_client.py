"""The same as `ernie-triton ask qa`."""

import sys

from ernie_triton.cli import main

if __name__ == "__main__":
    sys.exit(main(["ask", "qa", *sys.argv[1:]]))
