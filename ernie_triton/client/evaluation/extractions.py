"""Score extractions on labelled lines: doccano's, or PaddleNLP's lines of one prompt each.

A span is right if its name, its first and its last character are right; a span that was asked of
another counts as `name.name`, and the other must be right too; an option counts by its text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from ernie_triton.client.evaluation.typed_scores import TypedScores
from ernie_triton.client.items import Item, items_from_objects
from ernie_triton.client.tasks.extraction import Extraction
from ernie_triton.errors import DatasetError

Gold: TypeAlias = "tuple[int | str, ...]"
"""A type, and what has to be right of it: characters, or an option's text."""

_OF = "的"


def items_from_extractions(lines: Iterable[bytes]) -> Iterator[Item]:
    """One item for each line, with its text and a schema.

    Lines are of doccano, `{"text", "entities": [{"id", "label", "start_offset", "end_offset"}],
    "relations": [{"from_id", "to_id", "type"}]}`, whose schema is made of the labels of all lines;
    or PaddleNLP's, `{"content", "prompt", "result_list": [{"text", "start", "end"}]}`. A line of
    doccano, or an entity of it, may also have `options`: the right one of each prompt with options
    in brackets.
    """
    items = list(items_from_objects(lines, _item_from_record))
    schema = json.dumps(schema_of([item.record for item in items]), ensure_ascii=False)
    for item in items:
        if item.error or "prompt" in item.record:
            yield item
        else:
            yield Item(line=item.line, texts=(item.texts[0], schema), record=item.record)


def schema_of(records: Iterable[Mapping[str, object]]) -> list[object]:
    """The schema of doccano's lines: every label, with the types of its relations."""
    relations: dict[str, dict[str, None]] = {}
    for record in records:
        entities = {entity.get("id"): entity for entity in _objects(record, "entities")}
        for entity in entities.values():
            of_entity = relations.setdefault(str(entity.get("label")), {})
            of_entity.update(dict.fromkeys(_options(entity)))
        for relation in _objects(record, "relations"):
            subject = entities.get(relation.get("from_id"))
            if subject is not None:
                relations[str(subject.get("label"))][str(relation.get("type"))] = None
        for prompt in _options(record):
            relations.setdefault(prompt, {})
    return [{name: list(types)} if types else name for name, types in relations.items()]


class ExtractionScorer(TypedScores):
    """Precision, recall and F1 of spans, all together and for each type."""

    def add(self, item: Item, result: Extraction) -> None:
        """Count one line.

        Raises:
            DatasetError: the line does not say what is right.
        """
        record = item.record
        if "prompt" in record:
            prompt, content = str(record["prompt"]), item.texts[0]
            kind = prompt_type(prompt, content)
            answers = {(kind, *places) for _, *places in _answers(result, "")}
            self.count(_golds_of_prompt(item, kind), answers)
        else:
            self.count(_golds_of_doccano(item), set(_answers(result, "")))


def prompt_type(prompt: str, content: str) -> str:
    """The name in a prompt: what stands behind a span of the text and 的, or all of it."""
    parts = prompt.split(_OF)
    for end in range(len(parts) - 1, 0, -1):
        if _OF.join(parts[:end]) in content:
            return _OF.join(parts[end:])
    return prompt


def _answers(found: Extraction, name: str, *parent: int | str) -> Iterator[Gold]:
    for own, spans in found.items():
        kind = f"{name}.{own}" if name else own
        for span in spans:
            place: tuple[int | str, ...] = (
                (span.text,) if span.is_option else (span.start, span.end)
            )
            yield kind, *parent, *place
            yield from _answers(span.relations, kind, *parent, *place)


def _golds_of_prompt(item: Item, kind: str) -> set[Gold]:
    results = item.record.get("result_list")
    if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
        raise _unlabelled(item, '"result_list"')
    golds: set[Gold] = set()
    for one in results:
        start, end = one.get("start"), one.get("end")
        is_option = not isinstance(start, int) or not isinstance(end, int) or start < 0
        golds.add((kind, str(one.get("text"))) if is_option else (kind, start, end))
    return golds


def _golds_of_doccano(item: Item) -> set[Gold]:
    if "entities" not in item.record:
        raise _unlabelled(item, '"entities"')
    golds: set[Gold] = set(_options(item.record).items())
    places: dict[object, tuple[str, int, int]] = {}
    for entity in _objects(item.record, "entities"):
        start, end = entity.get("start_offset"), entity.get("end_offset")
        if not isinstance(start, int) or not isinstance(end, int):
            raise _unlabelled(item, '"start_offset" and "end_offset" of each entity')
        places[entity.get("id")] = (str(entity.get("label")), start, end)
        label, *place = places[entity.get("id")]
        golds.add((label, *place))
        golds.update((f"{label}.{name}", *place, text) for name, text in _options(entity).items())
    for relation in _objects(item.record, "relations"):
        subject, found = (places.get(relation.get(key)) for key in ("from_id", "to_id"))
        if subject is None or found is None:
            raise _unlabelled(item, '"from_id" and "to_id" of its entities in each relation')
        golds.add((f"{subject[0]}.{relation.get('type')}", *subject[1:], *found[1:]))
    return golds


def _objects(record: Mapping[str, object], key: str) -> Sequence[Mapping[str, object]]:
    values = record.get(key)
    return [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []


def _options(record: Mapping[str, object]) -> dict[str, str]:
    options = record.get("options")
    if not isinstance(options, dict):
        return {}
    return {name: text for name, text in options.items() if isinstance(text, str)}


def _item_from_record(line: int, record: dict[str, object]) -> Item:
    prompt, text = record.get("prompt"), record.get("content", record.get("text"))
    if not isinstance(text, str):
        found = ", ".join(record) or "no keys"
        return Item(line=line, error=f"the object has {found}, expected text, or content")
    if "prompt" not in record:
        return Item(line=line, texts=(text,), record=record)
    schema = json.dumps([str(prompt)], ensure_ascii=False)
    return Item(line=line, texts=(text, schema), record=record)


def _unlabelled(item: Item, expected: str) -> DatasetError:
    return DatasetError(
        f"{item.place}: no labels, expected {expected}; evaluate on a labelled split (train or dev)"
    )
