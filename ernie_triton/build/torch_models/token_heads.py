"""The heads of tokens' weights and vectors on an encoder that is trained, as bge-m3 has them.

They are layers of the module, so that training finds them, and files of their own on disk.
"""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.build.load.token_heads import read_linear_head
from ernie_triton.build.load.weight_files import TOKEN_HEAD_FILES

if TYPE_CHECKING:
    from torch import nn

_LAYERS = {head: file.removesuffix(".pt") for head, file in TOKEN_HEAD_FILES.items()}
"""The layer's name on the module, by the kind of head."""


def add_token_heads(encoder: "nn.Module", folder: Path, hidden: int) -> None:
    """Give an encoder the heads of tokens that its folder has files of.

    Raises:
        CheckpointError: a file has other arrays than such a head.
    """
    import torch

    for head, file in TOKEN_HEAD_FILES.items():
        if not (folder / file).is_file():
            continue
        read = read_linear_head(folder / file, head, hidden)
        layer = torch.nn.Linear(read.inputs, read.outputs)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(read.weight.T.copy()))
            layer.bias.copy_(torch.from_numpy(read.bias.copy()))
        encoder.add_module(_LAYERS[head], layer)


def token_head(encoder: "nn.Module", head: str) -> "nn.Linear | None":
    """Return a module's head of this kind, one of `TOKEN_HEAD_FILES`; None without it."""
    return getattr(encoder, _LAYERS[head], None)


def is_of_token_head(name: str) -> bool:
    """Return whether an array of this name is one of such a head."""
    return name.partition(".")[0] in _LAYERS.values()


def token_head_files(module: "nn.Module") -> dict[str, bytes]:
    """Return the contents of the files of a module's heads of tokens, float32."""
    layers = {head: token_head(module, head) for head in TOKEN_HEAD_FILES}
    return {
        TOKEN_HEAD_FILES[head]: torch_content(layer)
        for head, layer in layers.items()
        if layer is not None
    }


def torch_content(layer: "nn.Linear") -> bytes:
    """Return a layer's arrays as torch saves them."""
    import torch

    content = io.BytesIO()
    state = {name: one.detach().cpu().contiguous() for name, one in layer.state_dict().items()}
    torch.save(state, content)
    return content.getvalue()
