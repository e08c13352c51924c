"""The same as `ernie-triton ask embedding`."""

import sys

from ernie_triton.cli import main

if __name__ == "__main__":
    sys.exit(main(["ask", "embedding", *sys.argv[1:]]))
