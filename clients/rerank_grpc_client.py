"""The same as `ernie-triton ask rerank`."""

import sys

from ernie_triton.cli import main

if __name__ == "__main__":
    sys.exit(main(["ask", "rerank", *sys.argv[1:]]))
