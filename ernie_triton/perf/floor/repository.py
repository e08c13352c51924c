"""Write models that pass a text on: one stage alone, and an ensemble of three stages."""

import shutil
from pathlib import Path

from ernie_triton.errors import RepositoryError
from ernie_triton.stage_names import PARTS, stage_name

ONE_STAGE = "floor_stage"
THREE_STAGES = "floor_stages"
_STAGES = ("floor_first", "floor_second", "floor_third")
_HERE = Path(__file__).parent
_PORTS = """max_batch_size: 64
input [ { name: "text" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "passed" data_type: TYPE_STRING dims: [ 1 ] } ]
"""
# Like the stages of a pipeline, they take all requests that wait as one batch.
_STAGE = (
    'backend: "python"\n'
    + _PORTS
    + "instance_group [ { count: 1 kind: KIND_CPU } ]\ndynamic_batching { }\n"
)


def write_floor(repository: Path) -> None:
    """Write `floor_stage`, and `floor_stages` with its three, into a repository.

    Models of these names are replaced.
    """
    for name in (ONE_STAGE, *_STAGES):
        folder = _folder(repository / name, _STAGE)
        shutil.copyfile(_HERE / "stages" / "passing.py", folder / "model.py")
    _folder(repository / THREE_STAGES, 'platform: "ensemble"\n' + _PORTS + _steps())


def link_pipeline(source: Path, name: str, repository: Path) -> None:
    """Link a pipeline's models into another repository.

    Raises:
        RepositoryError: the source lacks the pipeline.
    """
    stages = [stage_name(name, part) for part in PARTS]
    is_joined = (source / name).is_dir() and not any((source / s).is_dir() for s in stages)
    for model in (name,) if is_joined else (name, *stages):
        if not (source / model / "config.pbtxt").is_file():
            raise RepositoryError(
                f"{source} has no model {model}; name a pipeline that was built into it"
            )
        (repository / model).symlink_to((source / model).resolve())


def _steps() -> str:
    """Write the ensemble's schedule: each stage takes the output of the one before."""
    tensors = ("text", "once", "twice", "passed")
    steps = (
        f'  step {{ model_name: "{stage}" model_version: -1 '
        f'input_map {{ key: "text" value: "{taken}" }} '
        f'output_map {{ key: "passed" value: "{given}" }} }}\n'
        for stage, taken, given in zip(_STAGES, tensors[:-1], tensors[1:], strict=True)
    )
    return "ensemble_scheduling {\n" + "".join(steps) + "}\n"


def _folder(model: Path, config: str) -> Path:
    """Write a model's configuration; return its version's folder."""
    version = model / "1"
    version.mkdir(parents=True, exist_ok=True)
    (model / "config.pbtxt").write_text(config, encoding="utf-8")
    return version
