"""The same as `ernie-triton finetune`: `python build_scripts/finetune.py --help`."""

import sys

from ernie_triton.cli import main

if __name__ == "__main__":
    sys.exit(main(["finetune", *sys.argv[1:]]))
