"""`finetune`: a base checkpoint and labelled data into a fine-tuned checkpoint."""

from ernie_triton.build.commands import Commands
from ernie_triton.training.finetune.command import DESCRIPTION, add_finetune_options, run_finetune


def add_command(commands: Commands) -> None:
    """Add the command and its options."""
    finetune = commands.add_parser(
        "finetune",
        help="fine-tune a checkpoint on labelled data",
        description=DESCRIPTION,
        allow_abbrev=False,
    )
    add_finetune_options(finetune)
    finetune.set_defaults(run=run_finetune)
