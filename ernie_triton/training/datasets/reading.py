"""Read a folder into a data set: choose files, format and labels, and check every line."""

from collections.abc import Callable, Mapping
from pathlib import Path

from ernie_triton.errors import DatasetError
from ernie_triton.tasks import (
    CHOICE,
    CLOZE,
    EMBEDDING,
    EXTRACTION,
    MULTI_LABEL,
    QA,
    REGRESSION,
    SEQ_CLS,
    TOKEN_CLS,
)
from ernie_triton.training.datasets import classification, prompts, squad, tagging
from ernie_triton.training.datasets.classification import Format
from ernie_triton.training.datasets.examples import DataSet, LabelledText
from ernie_triton.training.datasets.label_names import (
    LabelNames,
    label_file,
    names_of,
    read_label_names,
)
from ernie_triton.training.datasets.lines import Record, read_records
from ernie_triton.training.datasets.options import (
    CHOICE_FORMATS,
    CLOZE_FORMATS,
    read_choices,
    read_masks,
)

DATASETS: Mapping[str, tuple[str, ...]] = {
    SEQ_CLS.name: tuple(known.name for known in classification.FORMATS),
    MULTI_LABEL.name: ("multi_label",),
    REGRESSION.name: ("similarity",),
    TOKEN_CLS.name: ("msra_ner",),
    QA.name: ("cmrc2018",),
    EMBEDDING.name: ("sentence_pairs",),
    EXTRACTION.name: ("doccano",),
    CHOICE.name: CHOICE_FORMATS,
    CLOZE.name: CLOZE_FORMATS,
}
"""Names of each task's formats."""

TRAINED_TASKS = tuple(DATASETS)

_SPLIT_FILES: Mapping[str, tuple[str, ...]] = {
    # OCNLI names its whole training set train.50k.json.
    "train": ("train.json", "train.50k.json", "train.jsonl", "train.txt", "train.tsv"),
    "dev": ("dev.json", "dev.jsonl", "dev.txt", "dev.tsv"),
}

_EXPORTS = ("doccano_ext.json", "doccano.jsonl", "all.jsonl", "admin.jsonl")
"""Names of doccano's own exports, and of the one in PaddleNLP's guide."""


def read_dataset(
    task: str,
    folder: Path,
    *,
    dataset: str = "",
    train_file: Path | None = None,
    dev_file: Path | None = None,
    prompt_rules: prompts.PromptRules = prompts.PromptRules(),  # noqa: B008 - frozen
) -> DataSet:
    """Read the training and the development set of a folder.

    Args:
        task: one of `TRAINED_TASKS`.
        folder: has `train.json` and `dev.json`, and may have `labels.json` or `labels.txt`.
        dataset: a format's name in `DATASETS`; empty to recognise it by the keys.
        train_file: replaces the folder's training file.
        dev_file: replaces the folder's development file.
        prompt_rules: how labels become prompts (extraction). Such data may come as one file, an
            export of doccano, of which a share is then the development set.

    Raises:
        DatasetError: a file is missing or empty, or a line is wrong.
    """
    if task not in TRAINED_TASKS:
        raise DatasetError(
            f"the task {task!r} is not trained; expected one of {', '.join(TRAINED_TASKS)}"
        )
    if dataset and dataset not in DATASETS[task]:
        known = ", ".join(DATASETS[task])
        raise DatasetError(f"the data set {dataset!r} is none of {task}'s; expected one of {known}")
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; expected one with train.json and dev.json")
    if task == EXTRACTION.name:
        paths = _extraction_files(folder, train_file, dev_file)
        return prompts.read_prompts(*paths, prompt_rules)
    paths = (train_file or _split(folder, "train"), dev_file or _split(folder, "dev"))
    return _READERS[task](folder, dataset, *paths)


def _extraction_files(
    folder: Path, train_file: Path | None, dev_file: Path | None
) -> tuple[Path, Path | None]:
    """The two files; None where one export of doccano is all there is."""
    export = next((folder / name for name in _EXPORTS if (folder / name).is_file()), None)
    train = train_file or export or _split(folder, "train")
    if dev_file is None and (export is not None or train_file is not None):
        names = [folder / name for name in _SPLIT_FILES["dev"]]
        return train, next((path for path in names if path.is_file()), None)
    return train, dev_file or _split(folder, "dev")


def _split(folder: Path, split: str) -> Path:
    names = _SPLIT_FILES[split]
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise DatasetError(
            f"{folder}: no {' or '.join(names)}; expected one, or name it with --{split}-file"
        )
    return found


def _read_seq_cls(folder: Path, dataset: str, train_path: Path, dev_path: Path) -> DataSet:
    splits = [list(read_records(path)) for path in (train_path, dev_path)]
    first = splits[0][0]
    for key, task in (("tokens", TOKEN_CLS.name), ("labels", MULTI_LABEL.name)):
        if first.has(key):
            raise first.error(f"the object has {key}: this is data of {task}; name that task")
    form = classification.format_of(first, dataset)
    notes = []
    kept: list[list[Record]] = []
    for path, records in zip((train_path, dev_path), splits, strict=True):
        kept.append([one for one in records if not _is_left_out(one, form)])
        left_out = len(records) - len(kept[-1])
        if left_out:
            notes.append(
                f"{path}: {left_out} of {len(records)} lines left out, labelled "
                f"{form.left_out!r} (no agreement), as CLUE's rule has it"
            )
        if not kept[-1]:
            raise DatasetError(f"{path}:1: every line is left out; expected labelled lines")
    labels = _labels(folder, form.labels) or classification.label_names_of(kept[0])
    train, dev = (
        tuple(
            LabelledText(texts=form.texts(one), target=labels.id_in(one), line=one.line)
            for one in records
        )
        for records in kept
    )
    return DataSet(
        name=form.name,
        task=SEQ_CLS.name,
        pair=form.pair,
        labels=labels.names,
        train=train,
        dev=dev,
        train_path=train_path,
        dev_path=dev_path,
        notes=tuple(notes),
        is_plain=form.is_plain and len(kept[1]) == len(splits[1]),
    )


def _is_left_out(record: Record, form: Format) -> bool:
    return bool(form.left_out) and record.values.get("label") == form.left_out


def _labels(folder: Path, known: tuple[str, ...] = ()) -> LabelNames | None:
    path = label_file(folder)
    if path is not None:
        return read_label_names(path)
    return names_of(known) if known else None


def _read_multi_label(folder: Path, dataset: str, train_path: Path, dev_path: Path) -> DataSet:
    splits = [list(read_records(path)) for path in (train_path, dev_path)]
    labels = _labels(folder)
    if labels is None:
        found = {name for record in splits[0] for name in record.strings("labels")}
        labels = names_of(sorted(found))

    def example(record: Record) -> LabelledText:
        given = record.strings("labels")
        ids = tuple(labels.id_of(record, name) for name in given)
        if len(set(ids)) < len(ids):
            raise record.error(f"a label occurs twice in {', '.join(given)}; correct the line")
        texts = classification.plain_texts(record)
        return LabelledText(texts=texts, target=ids, line=record.line)

    return _plain_set(MULTI_LABEL.name, dataset, labels.names, splits, example)


def _read_regression(folder: Path, dataset: str, train_path: Path, dev_path: Path) -> DataSet:  # noqa: ARG001
    splits = [list(read_records(path)) for path in (train_path, dev_path)]

    def example(record: Record) -> LabelledText:
        texts = classification.plain_texts(record)
        return LabelledText(texts=texts, target=record.number("score", "label"), line=record.line)

    return _plain_set(REGRESSION.name, dataset, (), splits, example)


def _read_embedding(folder: Path, dataset: str, train_path: Path, dev_path: Path) -> DataSet:  # noqa: ARG001
    splits = [list(read_records(path)) for path in (train_path, dev_path)]

    def example(record: Record) -> LabelledText:
        likeness = record.number("score", "label")
        if not 0.0 <= likeness <= 1.0:
            raise record.error(f"the label is {likeness:g}; expected 0 (different) to 1 (the same)")
        texts = classification.text_pair(record)
        return LabelledText(texts=texts, target=likeness, line=record.line)

    return _plain_set(EMBEDDING.name, dataset, (), splits, example)


def _plain_set(
    task: str,
    dataset: str,
    labels: tuple[str, ...],
    splits: list[list[Record]],
    example: Callable[[Record], LabelledText],
) -> DataSet:
    """Make a data set of single texts or of pairs, as the first line has it."""
    texts = len(classification.plain_texts(splits[0][0]))
    examples: list[tuple[LabelledText, ...]] = []
    for records in splits:
        made = tuple(example(record) for record in records)
        for record, one in zip(records, made, strict=True):
            if len(one.texts) != texts:
                raise record.error(f"{len(one.texts)} text(s); expected {texts} as in other lines")
        examples.append(made)
    return DataSet(
        name=dataset or DATASETS[task][0],
        task=task,
        pair=texts == 2,
        labels=labels,
        train=examples[0],
        dev=examples[1],
        train_path=splits[0][0].path,
        dev_path=splits[1][0].path,
    )


def _read_token_cls(folder: Path, dataset: str, train_path: Path, dev_path: Path) -> DataSet:
    splits = [list(tagging.tagged_texts(path)) for path in (train_path, dev_path)]
    labels = _labels(folder) or tagging.labels_in(splits[0])
    train, dev = (
        tuple(tagging.tagged_example(record, labels) for record in records) for records in splits
    )
    return DataSet(
        name=dataset or DATASETS[TOKEN_CLS.name][0],
        task=TOKEN_CLS.name,
        pair=False,
        labels=labels.names,
        train=train,
        dev=dev,
        train_path=train_path,
        dev_path=dev_path,
        is_plain=tagging.is_json(dev_path),
    )


def _read_qa(folder: Path, dataset: str, train_path: Path, dev_path: Path) -> DataSet:  # noqa: ARG001
    read = [squad.question_example(*one, train=True) for one in squad.questions_in(train_path)]
    moved = sum(is_moved for _, is_moved in read)
    note = (
        f"{train_path}: {moved} of {len(read)} answers did not stand where answer_start says and "
        "were found elsewhere in their context"
    )
    dev = [squad.question_example(*one, train=False)[0] for one in squad.questions_in(dev_path)]
    return DataSet(
        name=dataset or DATASETS[QA.name][0],
        task=QA.name,
        pair=True,
        labels=(),
        train=tuple(example for example, _ in read),
        dev=tuple(dev),
        train_path=train_path,
        dev_path=dev_path,
        notes=(note,) if moved else (),
    )


_READERS: Mapping[str, Callable[[Path, str, Path, Path], DataSet]] = {
    SEQ_CLS.name: _read_seq_cls,
    MULTI_LABEL.name: _read_multi_label,
    REGRESSION.name: _read_regression,
    TOKEN_CLS.name: _read_token_cls,
    QA.name: _read_qa,
    EMBEDDING.name: _read_embedding,
    CHOICE.name: read_choices,
    CLOZE.name: read_masks,
}
