"""Entry point of `python -m ernie_triton.training.finetune`."""

import sys

from ernie_triton.training.finetune.command import main

sys.exit(main())
