"""Texts with spans, relations and classes, from doccano's exports or PaddleNLP's lines of prompts.

Prompts are made as PaddleNLP's `doccano.py` makes them (applications/information_extraction): a
label asks for its entities; a span, 的 and a relation's type for the other ends; a prefix with all
classes in brackets for one of them. Prompts without an answer are added from the other labels.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from ernie_triton.client.evaluation.extractions import schema_of
from ernie_triton.errors import DatasetError
from ernie_triton.tasks import EXTRACTION
from ernie_triton.training.datasets.examples import (
    DataSet,
    Extracted,
    LabelledText,
    PromptAnswers,
)
from ernie_triton.training.datasets.lines import Record, listed, read_records, shown

_OF = "的"
_TEXT_KEYS = ("text", "data")
_LABEL_KEYS = ("label", "labels")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRules:
    """Rules that make prompts of labels; names and defaults are those of PaddleNLP's `doccano.py`.

    Attributes:
        negative_ratio: most prompts without an answer for each with one, in training; -1 for all.
        prompt_prefix: what classes are asked by, before the brackets.
        options: the classes; empty for those of the training lines.
        separator: stands between the label and the class of an entity.
        dev_share: part of the lines to evaluate on, where one file has all.
        seed: decides that part, the order of classes, and the prompts without an answer.
    """

    negative_ratio: int = 5
    prompt_prefix: str = "情感倾向"
    options: tuple[str, ...] = ()
    separator: str = "##"
    dev_share: float = 0.2
    seed: int = 1000

    def __post_init__(self) -> None:
        if self.negative_ratio < -1:
            raise DatasetError(f"negative_ratio is {self.negative_ratio}; expected -1 or more")
        if not 0.0 < self.dev_share < 1.0:
            raise DatasetError(f"dev_share is {self.dev_share}; expected more than 0, less than 1")
        if not self.separator:
            raise DatasetError("the separator is empty; expected a text such as ##")


def read_prompts(train_path: Path, dev_path: Path | None, rules: PromptRules) -> DataSet:
    """Read a training and a development set; without a file of the second, share out the first.

    Raises:
        DatasetError: a file cannot be read, or a line is wrong.
    """
    splits = [list(read_records(path)) for path in (train_path, dev_path) if path is not None]
    notes = []
    if dev_path is None:
        splits = _shared_out(splits[0], rules)
        notes = [f"{train_path} is all there is: {len(splits[1])} of its lines are to evaluate on"]
    classes = rules.options or _classes(splits[0], rules)
    reader = _LineReader(rules, classes)
    plain = [[reader.plain(record) for record in records] for records in splits]
    schema = schema_of([values for lines in plain for values in lines])
    prompts = _Prompts(schema, rules)
    train, dev = (
        tuple(
            LabelledText(
                texts=_texts(values, schema),
                target=Extracted(record=values, prompts=prompts.of(values)),
                line=record.line,
            )
            for record, values in zip(records, lines, strict=True)
        )
        for records, lines in zip(splits, plain, strict=True)
    )
    return DataSet(
        name="doccano",
        task=EXTRACTION.name,
        pair=True,
        labels=(),
        train=train,
        dev=dev,
        train_path=train_path,
        dev_path=dev_path or train_path,
        notes=tuple(notes),
        is_plain=dev_path is not None and not reader.has_changed,
    )


def _shared_out(records: list[Record], rules: PromptRules) -> list[list[Record]]:
    if len(records) < 2:
        raise DatasetError(f"{records[0].path} has one line; expected two or more, or a dev file")
    count = min(max(1, round(rules.dev_share * len(records))), len(records) - 1)
    chosen = set(Random(rules.seed).sample(range(len(records)), count))
    return [
        [record for place, record in enumerate(records) if (place in chosen) == is_dev]
        for is_dev in (False, True)
    ]


def _texts(values: Mapping[str, Any], schema: Sequence[object]) -> tuple[str, str]:
    if "prompt" in values:
        return values["content"], json.dumps([values["prompt"]], ensure_ascii=False)
    return values["text"], json.dumps(schema, ensure_ascii=False)


def _classes(records: Sequence[Record], rules: PromptRules) -> tuple[str, ...]:
    """Collect the classes of texts and of entities, in their order."""
    found: dict[str, None] = {}
    for record in records:
        for label in _labels(record):
            if isinstance(label, str):
                found[label] = None
        for entity in _entities(record):
            _, separator, name = entity.text("label").partition(rules.separator)
            if separator:
                found[name] = None
    return tuple(found)


class _LineReader:
    """Checks lines, and writes doccano's in the one form that the clients' scorer reads."""

    def __init__(self, rules: PromptRules, classes: tuple[str, ...]) -> None:
        self._separator = rules.separator
        self._classes = classes
        self._prompt = f"{rules.prompt_prefix}[{','.join(classes)}]"
        self.has_changed = False

    def plain(self, record: Record) -> dict[str, Any]:
        if record.has("prompt"):
            _check_prompt_line(record)
            return dict(record.values)
        text = record.text(*_TEXT_KEYS)
        entities = [self._entity(entity, text) for entity in _entities(record)]
        names = [label for label in _labels(record) if isinstance(label, str)]
        if len(names) > 1:
            raise record.error(f"the text has the classes {listed(names)}; expected one")
        options = dict(record.inner("options").values) if record.has("options") else {}
        if names:
            options[self._prompt] = self._known(record, names[0])
        _check_options(record, options)
        values = {
            "text": text,
            "entities": entities,
            "relations": [_relation(one, entities) for one in _objects(record, "relations")],
        }
        self.has_changed |= not record.has("text", "entities") or any(
            entity.keys() - one.values.keys()
            for entity, one in zip(entities, _entities(record), strict=True)
        )
        return values | ({"options": options} if options else {})

    def _entity(self, entity: Record, text: str) -> dict[str, Any]:
        label, separator, name = entity.text("label").partition(self._separator)
        start, end = (int(entity.number(key)) for key in ("start_offset", "end_offset"))
        if not label:
            raise entity.error("an entity has an empty label; expected what it is")
        if not 0 <= start < end <= len(text):
            raise entity.error(
                f"the entity {label!r} has the characters {start} to {end} of a text of "
                f"{len(text)}; correct the line"
            )
        options = dict(entity.inner("options").values) if entity.has("options") else {}
        if separator:
            options[self._prompt] = self._known(entity, name)
        _check_options(entity, options)
        values = {"id": entity.values.get("id"), "label": label}
        values |= {"start_offset": start, "end_offset": end}
        return values | ({"options": options} if options else {})

    def _known(self, record: Record, name: str) -> str:
        if name not in self._classes:
            raise record.error(
                f"unknown class {name!r}; expected one of {listed(self._classes)}; correct the "
                f"line, or name all classes with --options"
            )
        return name


def _check_prompt_line(record: Record) -> None:
    content, prompt = record.text("content"), record.text("prompt")
    for result in _objects(record, "result_list"):
        text = result.text("text")
        start, end = (int(result.number(key)) for key in ("start", "end"))
        if start >= 0 and content[start:end] != text:
            raise record.error(f"{text!r} is not at the characters {start} to {end} of the content")
        if start < 0 and text not in prompt:
            raise record.error(f"the option {text!r} is not in the prompt {prompt!r}")


def _check_options(record: Record, options: Mapping[str, object]) -> None:
    for prompt, option in options.items():
        if not isinstance(option, str) or not option or option not in prompt.partition("[")[2]:
            raise record.error(
                f"options has {shown(option)} for {prompt!r}; expected one of those in its brackets"
            )


def _labels(record: Record) -> Sequence[object]:
    """Return what stands under `label`: classes of the text, or triples of entities."""
    key = next((key for key in _LABEL_KEYS if record.has(key)), "")
    value = record.values.get(key) if not record.has("prompt") else None
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(one, str) or _is_triple(one) for one in value):
        return value
    raise record.error(f"{key} is {shown(value)}; expected classes, or [start, end, label] each")


def _is_triple(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(isinstance(place, int) for place in value[:2])
        and isinstance(value[2], str)
    )


def _entities(record: Record) -> list[Record]:
    """Return the entities of a line of doccano, of either kind of project."""
    if record.has("prompt"):
        return []
    if record.has("entities"):
        return _objects(record, "entities")
    keys = ("start_offset", "end_offset", "label")
    triples = [label for label in _labels(record) if isinstance(label, list)]
    if not triples:
        record.key("entities", *_LABEL_KEYS, "options")
    return [
        dataclasses.replace(record, values={"id": place, **dict(zip(keys, triple, strict=True))})
        for place, triple in enumerate(triples)
    ]


def _relation(relation: Record, entities: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    known = {entity["id"] for entity in entities}
    values: dict[str, Any] = {"type": relation.text("type")}
    for key in ("from_id", "to_id"):
        values[key] = relation.values.get(key)
        if values[key] not in known:
            raise relation.error(
                f"a relation {values['type']!r} has {key} {shown(values[key])}; expected the id of "
                f"an entity of its line"
            )
    return values


def _objects(record: Record, key: str) -> list[Record]:
    values = record.values.get(key, [])
    if not isinstance(values, list) or not all(isinstance(one, dict) for one in values):
        raise record.error(f"{key} is {shown(values)}; expected a list of objects")
    return [dataclasses.replace(record, values=one) for one in values]


class _Prompts:
    """Makes the prompts of lines, with and without an answer."""

    def __init__(self, schema: Sequence[object], rules: PromptRules) -> None:
        self._children: dict[str, Sequence[str]] = {}
        for node in schema:
            self._children.update(node if isinstance(node, dict) else {str(node): ()})
        self._ratio = rules.negative_ratio
        self._random = Random(rules.seed)

    def of(self, values: Mapping[str, Any]) -> tuple[PromptAnswers, ...]:
        """Return the prompts of one line."""
        if "prompt" in values:
            return (_answers_of_line(values),)
        spans: dict[str, dict[tuple[int, int], None]] = {}
        for prompt, span in _spans(values):
            spans.setdefault(prompt, {})[span] = None
        found = [PromptAnswers(prompt=name, spans=tuple(of)) for name, of in spans.items()]
        options = list(_options(values))
        # Classes in another order each time, so that their place does not tell.
        found += [
            PromptAnswers(prompt=self._shuffled(name), options=(option,))
            for name, option in options
        ]
        asked = {*spans, *(name for name, _ in options)}
        others = [[*self._children], [*_further(values, self._children)]]
        for names in others:
            missing = [name for name in dict.fromkeys(names) if name not in asked]
            positives = len(asked & set(names))
            found += [PromptAnswers(prompt=name) for name in self._some(missing, positives)]
        return tuple(found)

    def _some(self, missing: list[str], positives: int) -> list[str]:
        most = self._ratio * positives
        # As in PaddleNLP: a text without any answer is asked everything.
        if self._ratio == -1 or not positives or len(missing) <= most:
            return missing
        return self._random.sample(missing, most)

    def _shuffled(self, prompt: str) -> str:
        name, _, options = prompt.removesuffix("]").partition("[")
        each = options.split(",")
        return f"{name}[{','.join(self._random.sample(each, len(each)))}]"


def _spans(values: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, int]]]:
    places = {}
    for entity in values["entities"]:
        places[entity["id"]] = (entity["start_offset"], entity["end_offset"])
        yield entity["label"], places[entity["id"]]
    for relation in values["relations"]:
        start, end = places[relation["from_id"]]
        prompt = f"{values['text'][start:end]}{_OF}{relation['type']}"
        yield prompt, places[relation["to_id"]]


def _options(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from values.get("options", {}).items()
    for entity in values["entities"]:
        name = values["text"][entity["start_offset"] : entity["end_offset"]]
        for prompt, option in entity.get("options", {}).items():
            yield f"{name}{_OF}{prompt}", option


def _further(values: Mapping[str, Any], children: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield what could be asked of each entity: of its label, and of a relation's other end."""
    names = {}
    for entity in values["entities"]:
        name = values["text"][entity["start_offset"] : entity["end_offset"]]
        names[entity["id"]] = name
        for child in children.get(entity["label"], ()):
            yield f"{name}{_OF}{child}"
    for relation in values["relations"]:
        yield f"{names[relation['to_id']]}{_OF}{relation['type']}"


def _answers_of_line(values: Mapping[str, Any]) -> PromptAnswers:
    results = values.get("result_list", [])
    return PromptAnswers(
        prompt=values["prompt"],
        spans=tuple((one["start"], one["end"]) for one in results if one["start"] >= 0),
        options=tuple(one["text"] for one in results if one["start"] < 0),
    )
