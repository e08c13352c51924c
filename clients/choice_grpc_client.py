"""The same as `ernie-triton ask choice`."""

import sys

from ernie_triton.cli import main

if __name__ == "__main__":
    sys.exit(main(["ask", "choice", *sys.argv[1:]]))
