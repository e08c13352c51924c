"""The same as `ernie-triton compress`: `python build_scripts/compress.py --help`."""

import sys

from ernie_triton.cli import main

if __name__ == "__main__":
    sys.exit(main(["compress", *sys.argv[1:]]))
