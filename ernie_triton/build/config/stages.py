"""The tokenizer and the postprocess stage, which are our Python backend in both modes."""

import dataclasses
from collections.abc import Mapping, Sequence

from tritonclient.grpc import model_config_pb2 as pb

from ernie_triton.build.config.messages import (
    WARM_UP_TEXTS,
    ModelSizes,
    add_warm_up,
    allow_ragged,
    python_stage,
)
from ernie_triton.decoders.choices import ChoiceSettings
from ernie_triton.decoders.cloze import ClozeSettings
from ernie_triton.decoders.entities import EntitySettings
from ernie_triton.decoders.labels import LabelSettings
from ernie_triton.decoders.lexical import LexicalSettings
from ernie_triton.decoders.ranks import RankSettings
from ernie_triton.decoders.spans import AnswerSettings
from ernie_triton.decoders.token_vectors import TokenVectorSettings
from ernie_triton.decoders.vectors import VectorSettings
from ernie_triton.errors import PipelineError
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.settings import StageSettings, TokenizerSettings
from ernie_triton.stages.asked_texts import ExtractionSettings
from ernie_triton.tasks import (
    MULTI_LABEL,
    RERANK,
    SCORE_ACTIVATIONS,
    TOKEN_COUNT,
    TOKENIZATION,
    Task,
    TensorSpec,
    task_named,
    token_tensors,
)

DEFAULT_THRESHOLD = 0.5
"""The least probability of a selected label in a multi-label model."""


def results(spec: PipelineSpec) -> tuple[TensorSpec, ...]:
    """The outputs of a pipeline's postprocess stage."""
    task = task_named(spec.task)
    return (*task.results, *(task.optional_results if spec.answering.per_token else ()))


def tokenizer_config(
    spec: PipelineSpec, sizes: ModelSizes, *, length_bucket: int
) -> pb.ModelConfig:
    """The first stage; rows' lengths are rounded up to multiples of `length_bucket`."""
    task = task_named(spec.task)
    texts = task.text_inputs(pair=spec.pair)
    tokens = (*token_tensors(pair=spec.pair), *task.row_tensors, *task.tokenizer_results)
    outputs = (*tokens, TOKENIZATION, TOKEN_COUNT)
    settings = tokenizer_stage_settings(spec, sizes, length_bucket=length_bucket)
    config = python_stage(spec, "tokenizer", texts, outputs, sizes, settings)
    # Requests that are batched here stay together in the stages after it.
    config.dynamic_batching.max_queue_delay_microseconds = spec.batching.max_queue_delay_us
    if task.list_input:
        allow_ragged(config)
    for sample in WARM_UP_TEXTS:
        add_warm_up(config, sample, texts, {-1: task.fewest})
    return config


def tokenizer_stage_settings(
    spec: PipelineSpec, sizes: ModelSizes, *, length_bucket: int = 1
) -> TokenizerSettings:
    """Settings of a pipeline's tokenizer stage."""
    settings = TokenizerSettings(
        task=spec.task,
        pair=spec.pair,
        max_length=spec.max_length,
        lower_case=sizes.lower_case,
        overlap=spec.overlap,
        max_windows=spec.answering.max_windows,
        length_bucket=length_bucket,
        tokenize_chinese_chars=sizes.tokenize_chinese_chars,
        prompt=spec.answering.prompt or "",
        lower_texts=sizes.lower_texts,
        max_text_bytes=spec.batching.max_text_bytes,
        max_waiting=0 if spec.is_joined else spec.batching.max_queue_size,
        rules=sizes.rules.to_text(),
        max_documents=spec.max_documents,
        # The last row of the table, which `trim_model` adds.
        other_mask=sizes.vocabulary_size - 1 if task_named(spec.task).head == "masked" else 0,
    )
    if not task_named(spec.task).asks_again:
        return settings
    answering = spec.answering
    return ExtractionSettings(
        **dataclasses.asdict(settings),
        engine_rows=spec.batching.max_batch_size,
        max_prompts=answering.max_prompts,
        max_schema_names=answering.max_schema_names,
        max_schema_depth=answering.max_schema_depth,
        position_prob=answering.position_prob,
        split_sentence=answering.split_sentence,
    )


def postprocess_config(
    spec: PipelineSpec, sizes: ModelSizes, *, length_bucket: int
) -> pb.ModelConfig:
    """The last stage; where it asks the engine, its rows have the lengths of the first stage."""
    task = task_named(spec.task)
    settings: StageSettings
    if task.asks_again:
        settings = tokenizer_stage_settings(spec, sizes, length_bucket=length_bucket)
    else:
        settings = postprocess_settings(spec, task, sizes)
    inputs = (*task.engine_outputs, *task.row_tensors)
    config = python_stage(spec, "postprocess", inputs, results(spec), sizes, settings)
    config.max_batch_size = spec.max_stage_rows
    allow_ragged(config)
    return config


def postprocess_settings(spec: PipelineSpec, task: Task, sizes: ModelSizes) -> StageSettings:
    """Settings of a pipeline's postprocess stage."""
    answering = spec.answering
    if task.head == "token":
        return EntitySettings(
            task=task.name, labels=len(sizes.labels), per_token=answering.per_token
        )
    if task.head == "span":
        return AnswerSettings(
            task=task.name,
            max_answer_tokens=answering.max_answer_tokens,
            n_best=answering.n_best,
            no_answer_threshold=answering.no_answer_threshold,
        )
    if task.head == "vector":
        return VectorSettings(task=task.name, normalize=answering.normalize is not False)
    if task.head == "masked":
        return ClozeSettings(task=task.name, rules=sizes.rules.to_text())
    if task.head == "lexical":
        return LexicalSettings(task=task.name)
    if task.head == "token_vector":
        return TokenVectorSettings(
            task=task.name,
            normalize=answering.normalize is not False,
            skipped=sizes.skipped_tokens,
        )
    if task.head == "choice":
        return ChoiceSettings(task=task.name)
    if task == RERANK:
        return RankSettings(
            task=task.name,
            labels=len(sizes.labels),
            ranked=ranking_label(sizes.labels, answering.rank_label),
            activation=answering.activation or SCORE_ACTIVATIONS[0],
        )
    return LabelSettings(
        task=task.name,
        labels=len(sizes.labels),
        thresholds=_thresholds(answering.thresholds, sizes.labels) if task == MULTI_LABEL else (),
        activation=answering.activation or SCORE_ACTIVATIONS[0],
    )


def ranking_label(labels: Sequence[str], named: str) -> int:
    """The place of the label whose score ranks documents.

    Without a name it is the only label, or `1` of the two labels `0` and `1`.

    Raises:
        PipelineError: the model does not have the label named, or it is not clear which ranks.
    """
    listed = ", ".join(labels)
    if named:
        if named not in labels:
            raise PipelineError(f"rank_label is {named!r}; expected one of the labels {listed}")
        return labels.index(named)
    if len(labels) == 1:
        return 0
    if [label.removeprefix("LABEL_") for label in labels] == ["0", "1"]:
        return 1
    raise PipelineError(
        f"the model has the labels {listed}, and nothing says which one ranks documents; name it "
        f"with --rank-label"
    )


def _thresholds(given: Mapping[str, float], labels: Sequence[str]) -> tuple[float, ...]:
    """The threshold of each label.

    Raises:
        PipelineError: a label that the model does not have is given one.
    """
    unknown = set(given) - {*labels, "default"}
    if unknown:
        raise PipelineError(
            f"thresholds name {', '.join(sorted(unknown))}, which the model does not have; its "
            f"labels are {', '.join(labels)}"
        )
    default = given.get("default", DEFAULT_THRESHOLD)
    return tuple(given.get(label, default) for label in labels)
