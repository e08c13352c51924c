"""A pipeline's defaults from the files beside the weights, and words for people about them."""

import dataclasses
from collections.abc import Iterator, Sequence

from ernie_triton.build.load.sentence.description import CROSS_ENCODER, SentenceFolder
from ernie_triton.build.load.source import Source
from ernie_triton.build.model.encoder import Norm
from ernie_triton.build.model.heads import Cut, Dense, SequenceHead, VectorHead, VectorLayer
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError, PipelineError
from ernie_triton.pipeline import DEFAULT_MAX_LENGTH, Answering, PipelineSpec
from ernie_triton.tasks import (
    CLOZE,
    COLBERT,
    EMBEDDING,
    EXTRACTION,
    RANK_ACTIVATIONS,
    REGRESSION,
    RERANK,
    SCORE_ACTIVATIONS,
    TASKS,
    task_named,
)

_LONGEST_ROW = 512
"""Tokens of a query and a document, a prompt and a text, or a text with masks, where neither the
pipeline nor the checkpoint says how many."""


def with_checkpoint_defaults(spec: PipelineSpec, source: Source) -> PipelineSpec:
    """Return the pipeline with the checkpoint's values where it has none of its own.

    Raises:
        PipelineError: an option is for another task, names a prompt that is not there, or does
            not fit the model's number of labels.
        CheckpointError: the folder's prompt cannot be served as it says.
    """
    answering = spec.answering
    if answering.dimensions and spec.task != EMBEDDING.name:
        raise PipelineError(f"dimensions is for embedding; the task is {spec.task}")
    if task_named(spec.task).is_retrieval:
        prompt = _prompt(answering, source, is_pooled=spec.task == EMBEDDING.name)
        answering = dataclasses.replace(answering, prompt=prompt, prompt_name="")
    else:
        if answering.prompt or answering.prompt_name:
            retrieval = ", ".join(task.name for task in TASKS.values() if task.is_retrieval)
            raise PipelineError(
                f"prompt and prompt_name are for {retrieval}; the task is {spec.task}"
            )
        _refuse_prompt(source)
    if spec.task == EMBEDDING.name:
        head = _vector_head(source)
        answering = dataclasses.replace(
            answering,
            pooling=head.pooling if head is not None else answering.pooling,
            normalize=_normalize(answering, source),
        )
    if spec.task == REGRESSION.name:
        activation = answering.activation or source.activation or SCORE_ACTIVATIONS[0]
        _check_activation(activation, source, SCORE_ACTIVATIONS)
        answering = dataclasses.replace(answering, activation=activation)
    elif spec.task == RERANK.name:
        answering = dataclasses.replace(answering, activation=_rank_activation(answering, source))
    elif answering.activation:
        raise PipelineError(f"activation is for regression and rerank; the task is {spec.task}")
    if spec.task != RERANK.name and answering.rank_label:
        raise PipelineError(f"rank_label is for rerank; the task is {spec.task}")
    if not task_named(spec.task).has_rows_of_a_text and answering.max_documents:
        raise PipelineError(
            f"max_documents is for rerank, choice and cloze; the task is {spec.task}"
        )
    return dataclasses.replace(spec, answering=answering, max_length=_max_length(spec, source))


def folder_words(given: PipelineSpec, spec: PipelineSpec, source: Source) -> str:
    """Say how the checkpoint's files and the options decide the answers; empty where neither does.

    Args:
        given: the pipeline as it was described.
        spec: the same with the checkpoint's values.
        source: the checkpoint.
    """
    if spec.task == EMBEDDING.name:
        words = [*_vector_words(spec, source), *_prompt_words(spec, source.sentence)]
    elif task_named(spec.task).is_retrieval:
        is_raw = spec.task == COLBERT.name and spec.answering.normalize is False
        words = ["not scaled to length 1"] if is_raw else []
        words += _prompt_words(spec, source.sentence)
    elif spec.task == RERANK.name:
        words = [f"scores through {spec.answering.activation}"]
    elif source.activation is not None or (given.answering.activation):
        words = [f"scores through {spec.answering.activation or 'softmax'}"]
    elif spec.task == REGRESSION.name:
        words = ["scores as the model gives them (--activation sigmoid for 0 to 1)"]
    else:
        words = []
    if source.fixed_length and spec.max_length == source.fixed_length != given.max_length:
        words.append(f"texts cut at {spec.max_length} tokens: the graph takes no more")
    if source.sentence is not None:
        words += _length_words(given, spec, source.sentence)
        if source.sentence.lower_case:
            words.append("texts in lower case")
        if source.sentence.left_out:
            names = " and ".join(source.sentence.left_out)
            words.append(f"{names} left out since there is no modules.json")
        kind = source.sentence.kind.replace("SentenceTransformer", "sentence-transformers")
        words.append(f"as the {kind} folder says {_but(given, source)}".rstrip())
    return ", ".join(words)


def _vector_head(source: Source) -> VectorHead | None:
    model = source.model
    head = model.head if isinstance(model, Model) else None
    return head if isinstance(head, VectorHead) else None


def _normalize(answering: Answering, source: Source) -> bool:
    if answering.normalize is not None:
        return answering.normalize
    sentence = source.sentence
    # The wire contract: length 1. Where lengths count in the comparison, the folder decides.
    return sentence is None or sentence.normalize or sentence.similarity in ("", "cosine")


def _prompt(answering: Answering, source: Source, *, is_pooled: bool) -> str:
    prompts = source.sentence.prompts if source.sentence is not None else {}
    name = answering.prompt_name or (source.sentence.prompt_name if source.sentence else None)
    if answering.prompt is not None:
        prompt = answering.prompt
    elif name is None:
        return ""
    elif name not in prompts:
        known = ", ".join(prompts) or "there are none"
        raise PipelineError(
            f"prompt_name is {name!r}; expected one of the checkpoint's prompts ({known})"
        )
    else:
        prompt = prompts[name]
    leaves_out = source.sentence is not None and not source.sentence.include_prompt
    if prompt and is_pooled and leaves_out:
        raise CheckpointError(
            f"{source.path} pools without the prompt's tokens (include_prompt is false), which is "
            f"not supported; build it without a prompt (--prompt '')"
        )
    return prompt


def _refuse_prompt(source: Source) -> None:
    sentence = source.sentence
    if sentence is not None and sentence.prompt_name and sentence.prompts[sentence.prompt_name]:
        raise CheckpointError(
            f"{source.path} puts the prompt {sentence.prompt_name!r} before the first text of a "
            f"pair, which is not supported; set default_prompt_name to null"
        )


def _rank_activation(answering: Answering, source: Source) -> str:
    """Return what documents' scores go through; by default as `CrossEncoder.predict` has it.

    One score goes through a sigmoid there, unless the folder says otherwise. Of several, the one
    that ranks is a probability, as classification gives it.
    """
    head = source.model.head if source.model is not None else None
    scores = len(source.labels or ("",))
    if isinstance(head, SequenceHead):
        scores = head.output.outputs
    if scores > 1:
        usual = "sigmoid" if source.problem == "multi_label_classification" else "softmax"
        return answering.activation or usual
    activation = answering.activation or source.activation or "sigmoid"
    _check_activation(activation, source, RANK_ACTIVATIONS)
    if activation == "softmax":
        raise PipelineError("the softmax of a single score is always 1; use another activation")
    return activation


def _check_activation(activation: str, source: Source, known: Sequence[str]) -> None:
    if activation not in known:
        raise CheckpointError(
            f"{source.path} puts its score through {activation}; expected one of "
            f"{', '.join(known)}; choose with --activation"
        )


def _max_length(spec: PipelineSpec, source: Source) -> int:
    sentence, model = source.sentence, source.model
    if sentence is None:
        usual = DEFAULT_MAX_LENGTH
        if spec.task in (RERANK.name, EXTRACTION.name, CLOZE.name) and model is not None:
            usual = min(model.max_positions, _LONGEST_ROW)
        length = spec.max_length or usual
        return min(length, source.fixed_length or length)
    positions = model.max_positions if model is not None else DEFAULT_MAX_LENGTH
    most = min(sentence.max_length or positions, positions, source.fixed_length or positions)
    return min(spec.max_length or most, most)


def _vector_words(spec: PipelineSpec, source: Source) -> Iterator[str]:
    head = _vector_head(source)
    if head is not None:
        yield f"{head.pooling} pooling"
        yield from (layer_words(layer) for layer in head.layers)
    if not spec.answering.normalize:
        yield "not scaled to length 1"
    elif source.sentence is None or source.sentence.normalize:
        yield "scaled to length 1"
    else:
        yield "scaled to length 1 (encode does not: --no-normalize for its vectors)"


def layer_words(layer: VectorLayer) -> str:
    """Describe a layer behind the pooling."""
    if isinstance(layer, Dense):
        return f"dense {layer.linear.inputs} to {layer.linear.outputs} ({layer.activation})"
    if isinstance(layer, Cut):
        return f"the first {layer.width} features"
    return "layer norm" if isinstance(layer, Norm) else "scaled to length 1 there"


def _prompt_words(spec: PipelineSpec, sentence: SentenceFolder | None) -> Iterator[str]:
    prompt = spec.answering.prompt
    if prompt:
        yield f"prompt {prompt!r}"
    elif sentence is not None and any(sentence.prompts.values()):
        names = ", ".join(name for name, text in sentence.prompts.items() if text)
        yield f"no prompt (--prompt-name has {names})"


def _length_words(
    given: PipelineSpec, spec: PipelineSpec, sentence: SentenceFolder
) -> Iterator[str]:
    most = sentence.max_length
    if given.max_length and most and given.max_length > most:
        yield f"texts cut at {spec.max_length} tokens, not {given.max_length}: the folder's most"
    else:
        yield f"texts cut at {spec.max_length} tokens"


def _but(given: PipelineSpec, source: Source) -> str:
    """Name the options that replace what the folder says."""
    sentence, answering = source.sentence, given.answering
    if sentence is None:
        return ""
    replaced = {
        f"--pooling {answering.pooling}": answering.pooling
        and answering.pooling != sentence.pooling
        and sentence.kind != CROSS_ENCODER,
        "--normalize": answering.normalize is True and not sentence.normalize,
        "--no-normalize": answering.normalize is False and sentence.normalize,
        f"--max-length {given.max_length}": 0 < given.max_length < sentence.max_length,
        f"--dimensions {answering.dimensions}": answering.dimensions,
        "--prompt": answering.prompt is not None,
        f"--prompt-name {answering.prompt_name}": answering.prompt_name,
        f"--activation {answering.activation}": answering.activation
        and answering.activation != source.activation,
    }
    options = [option for option, is_given in replaced.items() if is_given]
    return f"but for {', '.join(options)}" if options else ""
