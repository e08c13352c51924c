"""The files of each model: configurations, `model.py`, labels, vocabulary and warm-up samples."""

import dataclasses
import shutil
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ernie_triton.build.check.exported_reference import RowTokens
from ernie_triton.build.check.reference import batch_rows
from ernie_triton.build.config import WARM_UP_TEXTS, ModelSizes, pipeline_configs
from ernie_triton.build.inputs import BuildInputs
from ernie_triton.build.publish.manifest import Manifest
from ernie_triton.build.publish.repository import StagedPipeline
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.server.builds.files import build_hashes, build_identity
from ernie_triton.server.builds.manifest_file import MANIFEST_FILE
from ernie_triton.stage_names import PARTS
from ernie_triton.tasks import task_named, token_tensors
from ernie_triton.tokenizer.vocabulary import VOCABULARY_FILE, write_stage_vocabulary

_PURPOSES: Mapping[str, str] = {
    "tokenizer": "The tokenizer stage: texts to rows of token ids.",
    "engine": "The engine stage: rows of token ids to the model's outputs.",
    "postprocess": "The postprocess stage: the model's outputs to answers.",
    "joined": "The three stages in one: texts to answers.",
}


def write_models(
    inputs: BuildInputs, sizes: ModelSizes, manifest: Manifest, staged: StagedPipeline
) -> Manifest:
    """Write every file of the pipeline's models except the engine's.

    Returns:
        The manifest, with the hashes of all files and the identity of the build.

    Raises:
        PipelineError: the pipeline does not fit the model.
    """
    spec, batch = inputs.spec, inputs.batch
    rows = list(batch_rows(batch))
    shortest, longest = int(np.argmin(batch.lengths)), int(np.argmax(batch.lengths))
    warm_up = {
        sample: (inputs.samples.row(index), rows[index])
        for sample, index in zip(WARM_UP_TEXTS, (shortest, longest), strict=True)
    }
    lengths = [len(ids) for _, (ids, _) in warm_up.values()]
    write_configs(staged, spec, sizes, lengths)
    write_stage_files(spec, staged, sizes.labels, warm_up)
    tokenizer = staged.version_folder(spec.stage("tokenizer"))
    if inputs.vocabulary_path.suffix in (".json", ".model"):
        vocabulary = write_stage_vocabulary(inputs.vocabulary, tokenizer)
    else:
        vocabulary = shutil.copyfile(inputs.vocabulary_path, tokenizer / VOCABULARY_FILE)
    if task_named(spec.task).is_asked and not spec.is_joined:
        shutil.copy(vocabulary, staged.version_folder(spec.stage("postprocess")))
    folder = staged.model_folder(spec.name)
    hashes = build_hashes(folder.parent, spec.models, spec.version)
    made = dataclasses.replace(manifest, files=hashes, build=build_identity(hashes))
    path = staged.version_folder(spec.name) / MANIFEST_FILE
    path.write_text(made.to_json(), encoding="utf-8")
    return made


def write_configs(
    staged: StagedPipeline,
    spec: PipelineSpec,
    sizes: ModelSizes,
    warm_up_lengths: Sequence[int],
) -> None:
    """Write the configuration files of `pipeline_configs`; see there for the errors."""
    for model, files in pipeline_configs(spec, sizes, warm_up_lengths).items():
        for name, text in files.items():
            path = staged.model_folder(model) / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")


def write_stage_files(
    spec: PipelineSpec,
    staged: StagedPipeline,
    labels: Sequence[str],
    warm_up: Mapping[str, tuple[Sequence[str], RowTokens]],
) -> None:
    """Write each stage's `model.py`, the label names and the warm-up samples.

    Args:
        spec: the pipeline.
        staged: where to write.
        labels: label names in the order of the output units.
        warm_up: for each sample of `WARM_UP_TEXTS` its texts and their tokens.
    """
    for part in ("joined",) if spec.is_joined else PARTS:
        path = staged.version_folder(spec.stage(part)) / "model.py"
        path.write_text(_model_py(part), encoding="utf-8")
    for model in {spec.name, spec.stage("postprocess")} if labels else ():
        path = staged.model_folder(model) / "labels.txt"
        path.write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    task = task_named(spec.task)
    texts = [tensor.name for tensor in task.text_inputs(pair=spec.pair)]
    for sample, (values, row) in warm_up.items():
        tokenizer = _warm_up_folder(staged, spec.stage("tokenizer"))
        for name, text in zip(texts, values, strict=True):
            encoded = text.encode("utf-8")
            # A BYTES element as Triton stores it: its length, then itself.
            content = struct.pack("<I", len(encoded)) + encoded
            content *= task.fewest if name == task.list_input else 1
            (tokenizer / f"{sample}_{name}").write_bytes(content)
        if spec.is_joined:
            continue
        engine = _warm_up_folder(staged, spec.stage("engine"))
        for tensor, array in zip(token_tensors(pair=spec.pair), row, strict=False):
            (engine / f"{sample}_{tensor.name}").write_bytes(array.astype("<i4").tobytes())


def _warm_up_folder(staged: StagedPipeline, model: str) -> Path:
    folder = staged.model_folder(model) / "warmup"
    folder.mkdir(exist_ok=True)
    return folder


def _model_py(part: str) -> str:
    return (
        f'"""{_PURPOSES[part]}"""\n\n'
        f"from ernie_triton.backends.{part} import TritonPythonModel\n\n"
        f'__all__ = ["TritonPythonModel"]\n'
    )
