"""Tell pipeline TOML files from checkpoints where an argument may be either."""

from pathlib import Path

from ernie_triton.errors import PipelineError, UsageError
from ernie_triton.pipeline import load_pipeline

_CHECKPOINT_SUFFIXES = {
    *(".onnx", ".pdmodel", ".json", ".pdiparams"),
    *(".safetensors", ".bin", ".pdparams"),
}


def is_pipeline_file(path: Path) -> bool:
    """True where a path names a pipeline TOML: any file that is not a checkpoint's."""
    return path.suffix == ".toml" or (path.is_file() and path.suffix not in _CHECKPOINT_SUFFIXES)


def pipeline_of_folder(folder: Path) -> Path | None:
    """The one TOML in a checkpoint folder that builds this checkpoint, as `quantize` writes it.

    Raises:
        UsageError: there are several.
    """
    found = [path for path in sorted(folder.glob("*.toml")) if _builds(path, folder)]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UsageError(
            f"{folder} holds a checkpoint and the pipelines {names}; name one of these files, or "
            f"build without them with --checkpoint {folder}"
        )
    return found[0] if found else None


def _builds(path: Path, folder: Path) -> bool:
    try:
        return load_pipeline(path).checkpoint.resolve() == folder.resolve()
    except PipelineError:
        return False
