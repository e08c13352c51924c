"""Entry point of `python -m build_scripts.finetune`."""

import sys

from build_scripts.finetune.command import main

sys.exit(main())
