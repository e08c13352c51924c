"""Remarks on data before a training: labels that are rare, texts that are cut."""

from collections import Counter
from collections.abc import Iterator

from ernie_triton.tasks import EMBEDDING, MULTI_LABEL, REGRESSION, SEQ_CLS, TOKEN_CLS
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.training.datasets import DataSet

_CUT_TASKS = (SEQ_CLS.name, MULTI_LABEL.name, REGRESSION.name, EMBEDDING.name)
"""Tasks without windows, whose long texts are cut."""

_READ_LINES = 2000
"""Training lines whose texts are looked at."""

_NOTED_SHARE = 0.01
"""Share of cut texts, or of unknown tokens, from which a line tells them."""

_UNBALANCED = 20
"""A label so many times rarer than the commonest is named."""

_NAMED = 5


def remarks(data: DataSet, tokenizer: TextEncoder) -> list[str]:
    """Return a line for each thing about the data that lowers a model's figures.

    Args:
        data: the data set.
        tokenizer: the model's, with the length that texts are cut to.
    """
    return [*_about_labels(data), *_about_texts(data, tokenizer)]


def _about_labels(data: DataSet) -> Iterator[str]:
    if data.task not in (SEQ_CLS.name, MULTI_LABEL.name, TOKEN_CLS.name):
        return
    counts, found = _label_counts(data, "train"), _label_counts(data, "dev")
    if missing := [name for name in data.labels if not counts[name]]:
        yield f"{data.train_path}: no line has {_named(missing)}, so no model learns it"
    if missing := [name for name in data.labels if counts[name] and not found[name]]:
        yield f"{data.dev_path}: no line has {_named(missing)}, so the metric says nothing of it"
    most = max(counts[name] for name in data.labels)
    rare = [name for name in data.labels if 0 < counts[name] * _UNBALANCED < most]
    if rare and data.task != TOKEN_CLS.name:
        shown = [f"{name} ({counts[name]})" for name in rare]
        yield f"{data.train_path}: rare labels: {_named(shown)}; the commonest has {most} lines"


def _label_counts(data: DataSet, split: str) -> "Counter[str]":
    counts: Counter[str] = Counter()
    for line in data.train if split == "train" else data.dev:
        targets = line.target if isinstance(line.target, tuple) else (line.target,)
        counts.update({data.labels[one] if isinstance(one, int) else str(one) for one in targets})
    return counts


def _about_texts(data: DataSet, tokenizer: TextEncoder) -> Iterator[str]:
    lines = data.train[:_READ_LINES]
    if data.task in _CUT_TASKS:
        columns = [list(column) for column in zip(*(line.texts for line in lines), strict=True)]
        cut = int(tokenizer.encode(*columns).truncated.sum())
        if cut > _NOTED_SHARE * len(lines):
            yield (
                f"{data.train_path}: {cut} of the first {len(lines)} texts are longer than the "
                f"model reads and are cut; --max-seq-length allows more"
            )
    tokens = 0
    unknown: Counter[str] = Counter()
    texts = [text for line in lines for text in line.texts]
    for text, made in zip(texts, tokenizer.tokens_with_spans(texts), strict=True):
        tokens += len(made.ids)
        unknown.update(
            text[start:end] for start, end, _ in made.spans[made.ids == tokenizer.unknown_id]
        )
    if unknown.total() > _NOTED_SHARE * tokens:
        commonest = [word for word, _ in unknown.most_common(_NAMED)]
        yield (
            f"{data.train_path}: {unknown.total() / tokens:.1%} of the tokens are unknown to the "
            f"vocabulary, such as {' '.join(commonest)}; a base that knows them reads more"
        )


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
