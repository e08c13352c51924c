"""The same as `ernie-triton ask token_cls`."""

import sys

from ernie_triton.cli import main

if __name__ == "__main__":
    sys.exit(main(["ask", "token_cls", *sys.argv[1:]]))
