"""The small files of each stage: its `model.py`, label names, and the warm-up samples."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from ernie_triton.build.check.reference import Row
from ernie_triton.build.publish.repository import StagedPipeline
from ernie_triton.pipeline import PARTS, PipelineSpec
from ernie_triton.tasks import task_named, token_tensors

_PURPOSES: Mapping[str, str] = {
    "tokenizer": "The tokenizer stage: texts to rows of token ids.",
    "engine": "The engine stage: rows of token ids to the model's outputs.",
    "postprocess": "The postprocess stage: the model's outputs to answers.",
    "joined": "The three stages in one: texts to answers.",
}


def write_stage_files(
    spec: PipelineSpec,
    staged: StagedPipeline,
    labels: Sequence[str],
    warm_up: Mapping[str, tuple[Sequence[str], Row]],
) -> None:
    """Write what Triton and the stages read besides configurations, engines and vocabularies.

    Args:
        spec: the pipeline.
        staged: where to write.
        labels: label names in the order of the output units.
        warm_up: for each sample of `WARM_UP_TEXTS` its texts and their tokens.
    """
    for part in ("joined",) if spec.joined else PARTS:
        path = staged.version_folder(spec.stage(part)) / "model.py"
        path.write_text(_model_py(part), encoding="utf-8")
    for model in {spec.name, spec.stage("postprocess")} if labels else ():
        path = staged.model_folder(model) / "labels.txt"
        path.write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    texts = [tensor.name for tensor in task_named(spec.task).text_inputs(pair=spec.pair)]
    for sample, (values, row) in warm_up.items():
        tokenizer = _warm_up_folder(staged, spec.stage("tokenizer"))
        for name, text in zip(texts, values, strict=True):
            encoded = text.encode("utf-8")
            # A BYTES element as Triton stores it: its length, then itself.
            content = struct.pack("<I", len(encoded)) + encoded
            (tokenizer / f"{sample}_{name}").write_bytes(content)
        if spec.joined:
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
