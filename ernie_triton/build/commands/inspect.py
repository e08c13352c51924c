"""Describe a checkpoint without building it: the command `inspect`."""

import argparse
from pathlib import Path

from ernie_triton.build.checkpoint_defaults import layer_words
from ernie_triton.build.commands.pipeline_files import is_pipeline_file
from ernie_triton.build.load import read_source
from ernie_triton.build.load.sentence.description import SentenceFolder
from ernie_triton.build.load.source import Source, WantedHead, wanted_head
from ernie_triton.build.load.state import TASKS_BY_HEAD
from ernie_triton.build.model.heads import HEAD_NAMES, Head, SequenceHead, VectorHead
from ernie_triton.build.model.models import Model
from ernie_triton.build.model.slim import SlimModel
from ernie_triton.pipeline import load_pipeline


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = "Describe a checkpoint without building it."
    parser.add_argument(
        "checkpoint",
        type=Path,
        help="a checkpoint folder, an exported file, or a pipeline TOML that names one",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    path, wanted = arguments.checkpoint, WantedHead()
    if is_pipeline_file(path):
        spec = load_pipeline(path)
        path = spec.checkpoint
        wanted = wanted_head(spec)
    print(describe(read_source(path, wanted)))
    return 0


def describe(source: Source) -> str:
    """The facts of a source that decide how it can be built, one a line."""
    lines = {"source": f"{source.kind}, {source.path}"}
    if source.model is None:
        lines["model"] = f"not recognised ({source.unrecognised}); would be served as it came"
    elif isinstance(source.model, SlimModel):
        lines |= _slim_lines(source.model)
    else:
        lines |= _model_lines(source.model)
    if source.sentence is not None:
        lines |= _sentence_lines(source.sentence)
    if source.activation is not None:
        lines["scores"] = f"through {source.activation}, as CrossEncoder.predict gives them"
    lines["labels"] = ", ".join(source.labels) if source.labels else "not named; use --labels"
    lines["vocab"] = str(source.vocabulary) if source.vocabulary else "not here; use --vocab"
    lines["case"] = "folded (uncased)" if source.lower_case else "kept (cased)"
    if not source.tokenize_chinese_chars:
        lines["words"] = "runs of Chinese, cut into pieces of several characters"
    return "\n".join(f"{key:<14}{value}" for key, value in lines.items())


def _model_lines(model: Model) -> dict[str, str]:
    encoder, head = model.encoder, model.head
    heads = ", ".join(f"{layer.heads} x {layer.head_size}" for layer in encoder.layers)
    widths = ", ".join(str(layer.intermediate.outputs) for layer in encoder.layers)
    return {
        "task": TASKS_BY_HEAD[HEAD_NAMES[type(head)]],
        "parameters": f"{model.parameters:,}",
        "hidden": str(encoder.hidden),
        "layers": str(len(encoder.layers)),
        "heads": f"{heads} (by layer)",
        "feed-forward": f"{widths} (by layer), {encoder.activation}",
        "tokens": f"{encoder.vocabulary_size:,} in the vocabulary, pad {encoder.pad_token_id}",
        "positions": str(encoder.max_positions),
        "types": str(len(encoder.token_type)),
        "norm": f"epsilon {encoder.embedding_norm.epsilon:g}",
        "head": _head(head),
    }


def _sentence_lines(sentence: SentenceFolder) -> dict[str, str]:
    tool = f"sentence-transformers {sentence.version}".rstrip()
    lines = {"folder": f"{sentence.kind} of {tool}"}
    if sentence.pooling:
        lines["vectors"] = f"{'' if sentence.normalize else 'not '}scaled to length 1"
    if sentence.max_length:
        lines["length"] = f"texts cut at {sentence.max_length} tokens"
    if sentence.prompts:
        named = ", ".join(f"{name} {text!r}" for name, text in sentence.prompts.items())
        lines["prompts"] = f"{named}; default {sentence.prompt_name or 'none'}"
    if sentence.similarity:
        lines["similarity"] = sentence.similarity
    return lines


def _slim_lines(model: SlimModel) -> dict[str, str]:
    windows = ", ".join(f"{size} x {w.outputs}" for size, w in enumerate(model.windows, 1))
    features = f"windows of {windows} features" if windows else f"{len(model.bigram):,} bigrams"
    return {
        "task": TASKS_BY_HEAD[HEAD_NAMES[type(model.head)]] + (", pairs" if model.pair else ""),
        "student": f"{model.kind}, {features}",
        "parameters": f"{model.parameters:,}",
        "vectors": str(model.width),
        "tokens": f"{model.vocabulary_size:,} in the vocabulary, pad {model.pad_token_id}",
        "positions": str(model.max_positions),
        "head": _head(model.head),
    }


def _head(head: Head) -> str:
    pooler = ""
    if isinstance(head, SequenceHead | VectorHead) and head.pooler is not None:
        pooler = f"{head.pooler_activation} pooler"
    if isinstance(head, VectorHead):
        layers = "".join(f", {layer_words(layer)}" for layer in head.layers)
        return f"vectors; {head.pooling} pooling{layers}; {pooler or 'no pooler'}"
    unit = "text" if isinstance(head, SequenceHead) else "token"
    scores = f"{head.output.outputs} scores of each {unit}"
    return f"{pooler}, then {scores}" if pooler else scores
