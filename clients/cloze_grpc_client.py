"""The same as `ernie-triton ask cloze`."""

import sys

from ernie_triton.cli import main

if __name__ == "__main__":
    sys.exit(main(["ask", "cloze", *sys.argv[1:]]))
