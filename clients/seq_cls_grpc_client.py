"""The same as `ernie-triton ask seq_cls`."""

import sys

from ernie_triton.cli import main

if __name__ == "__main__":
    sys.exit(main(["ask", "seq_cls", *sys.argv[1:]]))
