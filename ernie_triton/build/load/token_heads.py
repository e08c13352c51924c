"""The heads of tokens' weights and vectors, from files beside the encoder's weights.

FlagEmbedding writes a file for each (bge-m3). In a sentence-transformers folder, token vectors are
a `Dense` module without a pooling.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from ernie_triton.arrays import Float32
from ernie_triton.build.load.source import Source
from ernie_triton.build.load.torch_file import read_torch
from ernie_triton.build.load.weight_files import TOKEN_HEAD_FILES
from ernie_triton.build.model.encoder import Linear
from ernie_triton.build.model.heads import LexicalHead, TokenVectorHead
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError

_WITHOUT = {"lexical": "weighs no tokens", "token_vector": "has no vectors of tokens"}


def with_token_head(source: Source, path: Path, head: str) -> Source:
    """Return a source of vectors with the head of its tokens' weights or vectors.

    Args:
        source: the encoder, read for vectors.
        path: the folder named by the user, or a file in it.
        head: one of `TOKEN_HEAD_FILES`.

    Raises:
        CheckpointError: the folder has no such head, or one of another form; the source is an
            export.
    """
    if not isinstance(source.model, Model) or source.graph is not None:
        raise CheckpointError(
            f"{path} is an export; a head of tokens needs the weights of the encoder, and "
            f"{TOKEN_HEAD_FILES[head]} beside them"
        )
    layer = source.sentence.token_layer if source.sentence is not None else None
    made: LexicalHead | TokenVectorHead
    if head == "token_vector" and layer is not None:
        made = TokenVectorHead(output=layer)
    else:
        file = (path if path.is_dir() else path.parent) / TOKEN_HEAD_FILES[head]
        output = read_linear_head(file, head, source.model.encoder.hidden)
        # FlagEmbedding gives the first token, [CLS], no vector.
        is_lexical = head == "lexical"
        made = (
            LexicalHead(output=output) if is_lexical else TokenVectorHead(output=output, skipped=1)
        )
    return dataclasses.replace(source, model=dataclasses.replace(source.model, head=made))


def read_linear_head(file: Path, head: str, hidden: int) -> Linear:
    """Read a file of one linear layer on the hidden states of tokens.

    Args:
        file: one of `TOKEN_HEAD_FILES`.
        head: its key there; a token has one weight, and a vector of any width.
        hidden: width of the hidden states.

    Raises:
        CheckpointError: the file is missing, or has other arrays.
    """
    if not file.is_file():
        raise CheckpointError(
            f"{file} is missing, so the model {_WITHOUT[head]}; name a folder that has it, as "
            f"bge-m3 does, or build with --task embedding"
        )
    state: Mapping[str, Float32] = read_torch(file)
    shapes = {name: list(array.shape) for name, array in state.items()}
    outputs = 1 if head == "lexical" else shapes.get("bias", [hidden])[0]
    expected = {"weight": [outputs, hidden], "bias": [outputs]}
    if shapes != expected:
        raise CheckpointError(f"{file} has the arrays {shapes}; expected {expected}")
    return Linear(weight=state["weight"].T, bias=state["bias"])
