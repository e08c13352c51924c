"""Write the baseline's models into a repository, from a transformers checkpoint."""

import shutil
import string
from pathlib import Path

from ernie_triton.errors import CheckpointError, RepositoryError
from ernie_triton.perf.build_process import run_build
from ernie_triton.tokenizer.vocabulary import PAD, VOCABULARY_FILE, load_vocabulary

STAGES = ("tokenizer", "engine", "postprocess")
EXPORTED_GRAPH = "exported.onnx"
_HERE = Path(__file__).parent


def write_baseline(checkpoint: Path, repository: Path, name: str) -> Path:
    """Write the ensemble and its three stages; models of these names are replaced.

    Args:
        checkpoint: a folder with `vocab.txt` and `exported.onnx`; `ernie-triton export` makes the
            latter where it is missing.
        repository: the model repository, made if missing.
        name: of the ensemble.

    Returns:
        The ensemble's folder.

    Raises:
        CheckpointError: there is no vocabulary, its padding token is not 0, or the export failed.
        RepositoryError: the repository has a pipeline of this name.
    """
    vocabulary = checkpoint / VOCABULARY_FILE
    if not vocabulary.is_file():
        raise CheckpointError(f"{checkpoint} has no {VOCABULARY_FILE}; name a checkpoint's folder")
    pad = load_vocabulary(vocabulary).ids[PAD]
    if pad != 0:
        raise CheckpointError(f"{vocabulary} has {PAD} at {pad}; the baseline masks token 0")
    exported = checkpoint / EXPORTED_GRAPH
    if not exported.is_file():
        run_build("export", checkpoint.resolve())
    manifest = repository / name / "1" / "manifest.json"
    if manifest.exists():
        raise RepositoryError(f"{manifest} is a pipeline's; give the baseline another --name")
    for stage in STAGES:
        folder = _model_folder(repository / f"{name}_{stage}", stage, name)
        shutil.copyfile(_HERE / "stages" / f"{stage}.py", folder / "model.py")
    shutil.copyfile(vocabulary, repository / f"{name}_tokenizer" / "1" / VOCABULARY_FILE)
    shutil.copyfile(exported, repository / f"{name}_engine" / "1" / "model.onnx")
    _model_folder(repository / name, "ensemble", name)
    return repository / name


def _model_folder(model: Path, part: str, name: str) -> Path:
    """Write a new model's configuration; return its version's folder."""
    shutil.rmtree(model, ignore_errors=True)
    version = model / "1"
    version.mkdir(parents=True)
    template = string.Template((_HERE / "configs" / f"{part}.pbtxt").read_text(encoding="utf-8"))
    (model / "config.pbtxt").write_text(template.substitute(name=name), encoding="utf-8")
    return version
