"""Entry point of `python -m build_scripts`, the same as `ernie-triton`."""

import sys

from ernie_triton.cli import main

sys.exit(main())
