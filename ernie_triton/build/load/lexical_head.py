"""The head of lexical weights, from the file beside the weights as FlagEmbedding writes it."""

import dataclasses
from pathlib import Path

from ernie_triton.build.load.source import Source
from ernie_triton.build.load.torch_file import read_torch
from ernie_triton.build.model.encoder import Linear
from ernie_triton.build.model.heads import LexicalHead
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError

LEXICAL_FILE = "sparse_linear.pt"


def with_lexical_head(source: Source, path: Path) -> Source:
    """Return a source of vectors with the head that weighs its tokens.

    Args:
        source: the encoder, read for vectors.
        path: the folder named by the user, or a file in it.

    Raises:
        CheckpointError: the folder has no such file, or one of another form; the source is an
            export.
    """
    if not isinstance(source.model, Model) or source.graph is not None:
        raise CheckpointError(
            f"{path} is an export; lexical weights need the weights of the encoder, and "
            f"{LEXICAL_FILE} beside them"
        )
    file = (path if path.is_dir() else path.parent) / LEXICAL_FILE
    if not file.is_file():
        raise CheckpointError(
            f"{file} is missing, so the model weighs no tokens; name a folder that has it, as "
            f"bge-m3 does, or build with --task embedding"
        )
    state = read_torch(file)
    shapes = {name: list(array.shape) for name, array in state.items()}
    expected = {"weight": [1, source.model.encoder.hidden], "bias": [1]}
    if shapes != expected:
        raise CheckpointError(f"{file} has the arrays {shapes}; expected {expected}")
    head = LexicalHead(output=Linear(weight=state["weight"].T, bias=state["bias"]))
    return dataclasses.replace(source, model=dataclasses.replace(source.model, head=head))
