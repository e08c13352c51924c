"""The files that hold a checkpoint's weights: under their usual names, in shards, or the only one.

`find_weights` looks for them in a fixed order and says, where it finds none, what it saw and what
it looked for.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.build.load.named_state import MERGE_ADAPTER
from ernie_triton.build.load.settings import read_json
from ernie_triton.errors import CheckpointError
from ernie_triton.lfs_pointer import pointer_fault

SAFETENSORS_FILE = "model.safetensors"
TORCH_FILE = "pytorch_model.bin"
PDPARAMS_FILE = "model_state.pdparams"
USUAL_FILES = (SAFETENSORS_FILE, TORCH_FILE, PDPARAMS_FILE)
"""Usual names of weights, in the order of preference; an index of shards has `.index.json`."""

TOKEN_HEAD_FILES: Mapping[str, str] = {
    "lexical": "sparse_linear.pt",
    "token_vector": "colbert_linear.pt",
}
"""The file of each head of tokens beside the encoder's weights, as FlagEmbedding names it."""

_INDEX = ".index.json"
_SAFETENSORS, _PDPARAMS = (".safetensors",), (".pdparams",)
_TORCH = (".bin", ".pt", ".pth", ".ckpt")
_TORCH_BEGINNINGS = (b"PK\x03\x04", b"\x80")
_ADAPTER_FILES = ("adapter_config.json", "lora_config.json", "prefix_config.json")
_ADAPTER_WEIGHTS = re.compile(r"^(adapter_model|lora_model_state|peft_model|prefix_model_state)")
_OF_TRAINING = re.compile(
    r"^(training_args|optimizer|scheduler|scaler|rng_state|random_states|trainer_state)"
)
_OTHER_FRAMEWORKS = ("tf_model*.h5", "flax_model*.msgpack", "*.ckpt.index", "saved_model.pb")
_CONVERT = (
    "weights of TensorFlow or Flax are not read: convert them with transformers 4, "
    "from_pretrained(folder, from_tf=True) or from_flax=True, then save_pretrained(new_folder)"
)
_EXPORTS = ("*.onnx", "*.pdmodel", "*.pdiparams")
_LISTED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFiles:
    """The files of one checkpoint's weights.

    Attributes:
        folder: the folder with its configuration.
        files: one file, or shards.
        index: the index of the shards; None for one file.
    """

    folder: Path
    files: tuple[Path, ...]
    index: Path | None = None

    @property
    def path(self) -> Path:
        """The file or index that stands for all, in messages."""
        return self.index or self.files[0]

    @property
    def is_pdparams(self) -> bool:
        """True where Paddle pickled them."""
        return self.files[0].suffix in _PDPARAMS

    @property
    def is_safetensors(self) -> bool:
        """True where they are safetensors files."""
        return self.files[0].suffix in _SAFETENSORS


def find_weights(path: Path) -> WeightFiles | None:
    """Find the weights in a folder, or the folder of a file of weights.

    Args:
        path: a folder, or the file or index of the weights themselves.

    Returns:
        The files; None where there are none, or where the path is another file.

    Raises:
        CheckpointError: the folder holds an adapter, shards without an index, or several files that
            could be meant; a shard is missing.
    """
    if path.is_file():
        return _of_file(path)
    if not path.is_dir():
        return None
    _refuse_adapter(path)
    for name in USUAL_FILES:
        if (path / name).is_file():
            return WeightFiles(folder=path, files=(path / name,))
        if (path / f"{name}{_INDEX}").is_file():
            return _of_index(path / f"{name}{_INDEX}")
    if any(next(path.glob(pattern), None) for pattern in _EXPORTS):
        return None
    for suffixes in (_SAFETENSORS, _PDPARAMS, _TORCH):
        found = [file for file in _files(path) if _is_weights(file, suffixes)]
        if len(found) == 1:
            return WeightFiles(folder=path, files=(found[0],))
        if found:
            raise CheckpointError(
                f"{path} holds {len(found)} files of weights ({_names(found)}); name the one to "
                f"build, or put the index of these shards beside them"
            )
    return None


def no_checkpoint_fault(path: Path) -> str:
    """Say what a path holds in place of a checkpoint, and what was looked for."""
    seen = _names(sorted(path.iterdir())) if path.is_dir() else path.name
    foreign = [name for name in _OTHER_FRAMEWORKS if path.is_dir() and next(path.glob(name), None)]
    instead = f"; {_CONVERT}" if foreign else ""
    inside = [one for one in sorted(path.iterdir()) if _holds_weights(one)] if path.is_dir() else []
    if inside:
        instead = f"; {_names(inside)} inside it has one: name {path / inside[0].name}"
    return (
        f"{path} holds no checkpoint; saw {seen or 'an empty folder'}; looked for "
        f"{', '.join(USUAL_FILES)}, an index of their shards (*{_INDEX}), one *.safetensors, "
        f"*.pdparams, *.bin, *.pt, *.pth or *.ckpt, a Paddle static export (*.pdmodel or *.json "
        f"with *.pdiparams), or one *.onnx{instead}"
    )


def _holds_weights(folder: Path) -> bool:
    """Return whether a folder has weights or a graph under their usual names."""
    usual = (*USUAL_FILES, *(f"{name}{_INDEX}" for name in USUAL_FILES))
    return any((folder / name).is_file() for name in usual) or any(
        next(folder.glob(pattern), None) for pattern in _EXPORTS
    )


def _of_file(path: Path) -> WeightFiles | None:
    if path.name.endswith(_INDEX):
        return _of_index(path)
    if _ADAPTER_WEIGHTS.match(path.name):
        _refuse_adapter(path.parent)
    is_weights = path.suffix in (*_SAFETENSORS, *_PDPARAMS, *_TORCH)
    return WeightFiles(folder=path.parent, files=(path,)) if is_weights else None


def _of_index(index: Path) -> WeightFiles:
    if fault := pointer_fault(index):
        raise CheckpointError(fault)
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise CheckpointError(f"{index} has no weight_map; expected the shard of each array")
    names = sorted({str(name) for name in places.values()})
    missing = [name for name in names if not (index.parent / name).is_file()]
    if missing:
        raise CheckpointError(
            f"{index} names {len(names)} shards, and {_names(missing)} is not beside it; fetch "
            f"the missing ones"
        )
    files = tuple(index.parent / name for name in names)
    return WeightFiles(folder=index.parent, files=files, index=index)


def _refuse_adapter(folder: Path) -> None:
    found = [name for name in _ADAPTER_FILES if (folder / name).is_file()]
    found += [file.name for file in _files(folder) if _ADAPTER_WEIGHTS.match(file.name)]
    if not found:
        return
    whole = [name for name in USUAL_FILES if (folder / name).is_file()]
    if whole:
        raise CheckpointError(
            f"{folder} has an adapter ({_names(found)}) beside {whole[0]}, and nothing says if it "
            f"is merged; where it is, remove its files; otherwise {MERGE_ADAPTER}"
        )
    raise CheckpointError(
        f"{folder} is an adapter ({_names(found)}), not a whole model; {MERGE_ADAPTER}"
    )


def _is_weights(file: Path, suffixes: Sequence[str]) -> bool:
    if file.suffix not in suffixes or _OF_TRAINING.match(file.name):
        return False
    if file.name in TOKEN_HEAD_FILES.values():
        return False
    if suffixes is not _TORCH or pointer_fault(file):
        return True
    with file.open("rb") as content:  # OpenVINO and others have *.bin too
        return content.read(4).startswith(_TORCH_BEGINNINGS)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.is_file())


def _names(found: Iterable[Path | str]) -> str:
    names = [item.name if isinstance(item, Path) else item for item in found]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
