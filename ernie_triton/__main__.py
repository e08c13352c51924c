"""Entry point of `python -m ernie_triton`."""

import sys

from ernie_triton.cli import main

sys.exit(main())
