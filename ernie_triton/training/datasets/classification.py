"""Formats with one label per line: TNEWS, IFLYTEK, AFQMC, CMNLI, OCNLI, CSL, CLUEWSC2020, others.

The formats are CLUE's (github.com/CLUEbenchmark/CLUE). Texts and labels are extracted as in the
ERNIE 3.0 toolkit (github.com/PaddlePaddle/PaddleNLP, paddlenlp/datasets/clue.py and
model_zoo/ernie-3.0/utils.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ernie_triton.training.datasets.label_names import LabelNames
from ernie_triton.training.datasets.lines import Record

TEXT_KEYS = ("sentence", "text", "sentence1")
PAIR_KEYS = ("sentence2", "text_pair")
NO_AGREEMENT = "-"
"""The label of pairs on which the annotators of CMNLI and OCNLI did not agree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format of lines.

    Attributes:
        name: of the data set.
        fits: tells if an object looks like a line of this format.
        texts: extracts the one or two texts of a line.
        pair: a line has two texts.
        labels: label names where no file lists them; empty to take those of the training lines.
        left_out: label of the lines that the data set's own rule leaves out, or empty.
        is_plain: the clients know the keys of its texts.
    """

    name: str
    fits: Callable[[Record], bool]
    texts: Callable[[Record], tuple[str, ...]]
    pair: bool
    labels: tuple[str, ...] = ()
    left_out: str = ""
    is_plain: bool = True


def single_text(record: Record) -> tuple[str, ...]:
    """Return the text of a line."""
    return (record.text(*TEXT_KEYS),)


def text_pair(record: Record) -> tuple[str, ...]:
    """Return the two texts of a line."""
    return (record.text("sentence1", "text", "sentence"), record.text(*PAIR_KEYS))


def has_pair(record: Record) -> bool:
    """Tell if the line has a second text."""
    return any(record.has(key) for key in PAIR_KEYS)


def plain_texts(record: Record) -> tuple[str, ...]:
    """Return the one or two texts of a line."""
    return text_pair(record) if has_pair(record) else single_text(record)


def _keywords_and_abstract(record: Record) -> tuple[str, ...]:
    return (" ".join(record.strings("keyword")), record.text("abst"))


def _marked_text(record: Record) -> tuple[str, ...]:
    """Return the text with `_` around the noun and `[` `]` around the pronoun."""
    text, target = record.text("text"), record.inner("target")
    noun = _span(target, text, "span1")
    pronoun = _span(target, text, "span2")
    first, second = sorted([(*noun, "__"), (*pronoun, "[]")])
    if first[1] > second[0]:
        raise record.error("span1 and span2 overlap; correct the line")
    for start, end, marks in (second, first):
        text = f"{text[:start]}{marks[0]}{text[start:end]}{marks[1]}{text[end:]}"
    return (text,)


def _span(target: Record, text: str, name: str) -> tuple[int, int]:
    words, start = target.text(f"{name}_text"), int(target.number(f"{name}_index"))
    end = start + len(words)
    if start < 0 or text[start:end] != words:
        raise target.error(f"{name}_text {words!r} is not at character {start} of the text")
    return start, end


def _has_label(*labels: str) -> Callable[[Record], bool]:
    return lambda record: has_pair(record) and str(record.values.get("label")) in labels


_INFERENCE = ("contradiction", "entailment", "neutral")

FORMATS: Sequence[Format] = (
    Format(
        name="csl",
        fits=lambda record: record.has("abst", "keyword"),
        texts=_keywords_and_abstract,
        pair=True,
        labels=("0", "1"),
        is_plain=False,
    ),
    Format(
        name="cluewsc2020",
        fits=lambda record: record.has("text", "target"),
        texts=_marked_text,
        pair=False,
        labels=("true", "false"),
        is_plain=False,
    ),
    Format(
        name="iflytek",
        fits=lambda record: record.has("sentence", "label_des"),
        texts=single_text,
        pair=False,
        labels=tuple(map(str, range(119))),
    ),
    Format(
        name="tnews",
        fits=lambda record: record.has("sentence", "label_desc"),
        texts=single_text,
        pair=False,
    ),
    Format(
        name="ocnli",
        fits=lambda record: has_pair(record) and (record.has("genre") or record.has("prem_id")),
        texts=text_pair,
        pair=True,
        labels=("entailment", "contradiction", "neutral"),
        left_out=NO_AGREEMENT,
    ),
    Format(
        name="cmnli",
        fits=_has_label(*_INFERENCE, NO_AGREEMENT),
        texts=text_pair,
        pair=True,
        labels=_INFERENCE,
        left_out=NO_AGREEMENT,
    ),
    Format(name="afqmc", fits=_has_label("0", "1"), texts=text_pair, pair=True, labels=("0", "1")),
    Format(name="pair", fits=has_pair, texts=text_pair, pair=True),
    Format(
        name="single",
        fits=lambda record: any(record.has(key) for key in TEXT_KEYS),
        texts=single_text,
        pair=False,
    ),
)
"""All formats; the first that fits is taken."""


def format_of(record: Record, name: str) -> Format:
    """Return the format of this name, or without a name the first that fits the object.

    Raises:
        DatasetError: no format fits.
    """
    for known in FORMATS:
        if known.name == name if name else known.fits(record):
            return known
    found = ", ".join(record.values) or "no keys"
    raise record.error(
        f"the object has {found}; expected the keys of a CLUE classification set, such as sentence "
        "or sentence1 and sentence2, with label"
    )


def label_names_of(records: Sequence[Record]) -> LabelNames:
    """Collect the labels of the training lines, in the order of their numbers or names.

    Raises:
        DatasetError: a line has no label.
    """
    words: dict[str, str] = {}
    for record in records:
        described = next((k for k in ("label_desc", "label_des") if record.has(k)), "label")
        word = str(record.values[record.key("label")])
        words.setdefault(word, str(record.values[record.key(described, "label")]))
    order = sorted(words, key=lambda word: (not word.isdecimal(), word.zfill(9), word))
    names = [words[word] for word in order]
    if len(set(names)) < len(names):
        names = order
    ids = {word: index for index, word in enumerate(order)}
    return LabelNames(names=tuple(names), ids={**ids, **{n: i for i, n in enumerate(names)}})
