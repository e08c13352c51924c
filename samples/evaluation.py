"""Measure a checkpoint of a sample task by the answers of its pipeline."""

import dataclasses
import tempfile
from pathlib import Path

from ernie_triton.build.check.local_answers import LocalAnswers, PipelineParts, local_evaluator
from ernie_triton.build.config import ModelSizes
from ernie_triton.build.convert.engine_file import write_engine
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.model.heads import TokenVectorHead, VectorHead
from ernie_triton.build.model.models import Model, trim_model, with_mask_id
from ernie_triton.build.torch_models.checkpoints import load_tokenizer
from ernie_triton.client.tasks.seq_cls import SeqClsClient
from ernie_triton.engines import Engine, load_engine
from ernie_triton.errors import CheckpointError
from ernie_triton.pipeline import PipelineSpec, load_pipeline
from ernie_triton.settings import EngineSettings
from ernie_triton.tasks import COLBERT, REGRESSION, RERANK, SPARSE, Task, task_named
from samples.paths import SAMPLE_RANKINGS
from samples.recipes import SampleRecipe, sample_recipe

PIPELINES = Path(__file__).parents[1] / "pipelines"
_PLACES = 4


def measured_figures(sample: str, checkpoint: Path, data: Path) -> dict[str, float]:
    """Answer every line of a labelled file in FP32 and score the answers.

    Args:
        sample: name of the sample task; its file in `pipelines/` says how to read answers.
        checkpoint: in transformers' or PaddleNLP's format.
        data: a labelled file, as dev.json.

    Returns:
        The figures of the task's scorer, to four places, and `lines`.

    Raises:
        CheckpointError: the folder holds no such checkpoint.
        DatasetError: the file cannot be read, or a line is of no use.
    """
    return _measured(_spec_of(sample, checkpoint), checkpoint, data)


def ranking_figures(recipe: SampleRecipe, checkpoint: Path) -> dict[str, float]:
    """Rank the samples' queries in each way that a checkpoint of this recipe can.

    Returns:
        MRR@10, NDCG@10 and MAP of each, as `rerank_mrr`; nothing where it cannot rank.

    Raises:
        CheckpointError: the folder lacks the head that the recipe makes.
    """
    figures: dict[str, float] = {}
    for task in _ranking_tasks(recipe):
        spec = load_pipeline(PIPELINES / f"{task.name}.toml")
        spec = dataclasses.replace(spec, checkpoint=checkpoint)
        found = _measured(spec, checkpoint, SAMPLE_RANKINGS)
        figures |= {f"{task.name}_{name}": found[name] for name in ("mrr", "ndcg", "map")}
    return figures


def _ranking_tasks(recipe: SampleRecipe) -> tuple[Task, ...]:
    if recipe.model.token_vectors:
        return (SPARSE, COLBERT)
    return (RERANK,) if recipe.task == REGRESSION.name else ()


def local_classifier(sample: str, checkpoint: Path) -> SeqClsClient:
    """Return a client whose answers come from a checkpoint of a sample task, in FP32.

    Raises:
        CheckpointError: the folder holds no such checkpoint.
    """
    parts, engine = _parts_and_engine(_spec_of(sample, checkpoint), checkpoint)
    return SeqClsClient(transport=LocalAnswers(parts, engine))


def _measured(spec: PipelineSpec, checkpoint: Path, data: Path) -> dict[str, float]:
    parts, engine = _parts_and_engine(spec, checkpoint)
    figures = local_evaluator(parts, engine).evaluate_file(data)
    numbers = {
        name: round(float(value), _PLACES)
        for name, value in figures.figures.items()
        if isinstance(value, int | float) and name not in ("lines", "questions")
    }
    return {**numbers, "lines": figures.examples}


def _parts_and_engine(spec: PipelineSpec, checkpoint: Path) -> tuple[PipelineParts, Engine]:
    wanted = WantedHead(head=task_named(spec.task).head, pooling=spec.answering.pooling)
    source = read_source(checkpoint, wanted)
    if not isinstance(source.model, Model):
        raise CheckpointError(f"{checkpoint} holds no weights; name a folder that `train` wrote")
    encoder = load_tokenizer(checkpoint, max_length=spec.max_length)
    model = with_mask_id(source.model, encoder.vocabulary, checkpoint)
    model = trim_model(model, max_length=spec.max_length, pair=True)
    outputs = 0 if isinstance(model.head, VectorHead) else model.head.output.outputs
    has_labels = wanted.head in ("sequence", "token")
    sizes = ModelSizes(
        labels=(source.labels or tuple(map(str, range(outputs)))) if has_labels else (),
        hidden=outputs if wanted.head in ("masked", "token_vector") else model.encoder.hidden,
        lower_case=source.lower_case,
        pad_token_id=model.pad_token_id,
        vocabulary_size=model.vocabulary_size,
        token_types=model.token_types,
        skipped_tokens=model.head.skipped if isinstance(model.head, TokenVectorHead) else 0,
    )
    return PipelineParts(spec, sizes, encoder), _engine_of(model, spec)


def _spec_of(sample: str, checkpoint: Path) -> PipelineSpec:
    """Return the sample's own pipeline for this checkpoint, or one with its task's defaults."""
    recipe, path = sample_recipe(sample), PIPELINES / f"{sample}.toml"
    if path.is_file():
        spec = load_pipeline(path)
        spec = dataclasses.replace(spec, task=recipe.task, checkpoint=checkpoint)
    else:
        spec = PipelineSpec(checkpoint=checkpoint, repository=checkpoint, task=recipe.task)
    return dataclasses.replace(spec, max_length=spec.max_length or recipe.max_length)


def _engine_of(model: Model, spec: PipelineSpec) -> Engine:
    settings = EngineSettings(
        task=spec.task,
        pair=spec.pair,
        engine="onnxruntime",
        precision="fp32",
        layout="packed",
        threads=0,
        max_length=spec.max_length,
        pad_token_id=model.pad_token_id,
        vocabulary_size=model.vocabulary_size,
        token_types=model.token_types,
    )
    with tempfile.TemporaryDirectory() as folder:
        write_engine(export_onnx(model, "packed"), settings.engine, Path(folder))
        return load_engine(Path(folder), settings)
