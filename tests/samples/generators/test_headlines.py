import json
import re
from collections import Counter
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path

import pytest

from samples.cli import main
from samples.generators.grammar import GRAMMAR_FOLDER, load_grammar
from samples.generators.headlines import HEADLINES, HeadlineLine, make_drawer, read_lexicon
from samples.generators.tnews import NAMES
from samples.splits import Splits, SplitSizes, make_splits

VOCABULARY = Path(__file__).parents[3] / "samples" / "data" / "vocab.txt"
GRAMMARS = GRAMMAR_FOLDER / "headlines"


def longest_word(text: str, words: Collection[str]) -> str:
    """The longest of `words` that a text begins with, or nothing."""
    return next((text[:i] for i in range(len(text), 1, -1) if text[:i] in words), "")


@pytest.fixture(scope="module")
def splits() -> Splits:
    sizes = SplitSizes(train=HEADLINES.train_lines, dev=HEADLINES.dev_lines)
    return make_splits(HEADLINES, sizes, 0)


@pytest.fixture(scope="module")
def train(splits: Splits) -> list[HeadlineLine]:
    return [line for line in splits.train if isinstance(line, HeadlineLine)]


def test_there_are_20_000_lines_to_train_on_and_2_000_to_measure_on(splits: Splits) -> None:
    assert (len(splits.train), len(splits.dev)) == (20_000, 2_000)
    assert len({line.sentences for line in splits.train}) == 20_000


def test_no_dev_sentence_is_trained_on(splits: Splits) -> None:
    assert {x.sentences for x in splits.train}.isdisjoint(x.sentences for x in splits.dev)


def test_a_seed_repeats_the_files_and_another_does_not(tmp_path: Path) -> None:
    for folder, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        sizes = ["--train", "300", "--dev", "40", "--seed", seed]
        output = str(tmp_path / folder)
        assert main(["generate", "headlines", "--output", output, *sizes]) == 0
    a, b, c = ({p.name: p.read_bytes() for p in (tmp_path / f).iterdir()} for f in "abc")
    assert a == b
    assert set(a) == {"train.json", "dev.json", "labels.json"}
    assert a["train.json"] != c["train.json"]
    records = [json.loads(line) for line in a["train.json"].decode("utf-8").splitlines()]
    assert all(list(r) == ["label", "label_desc", "sentence", "keywords"] for r in records)
    assert all(r["label_desc"] == NAMES[r["label"]] for r in records)


def test_every_class_has_its_fifteenth(train: list[HeadlineLine]) -> None:
    counts = Counter(line.label for line in train)
    assert set(counts) == set(NAMES)
    assert min(counts.values()) > 0.9 * len(train) / 15
    assert max(counts.values()) < 1.1 * len(train) / 15


# Counted: words of the grammars of two characters or more that stand in a training line as listed
# (letter case aside). Names made of a surname and a given name would add thousands more.
def test_several_thousand_different_words_occur(train: list[HeadlineLine]) -> None:
    text = "\n".join(line.sentence for line in train).lower()
    by_start: dict[str, set[str]] = {}
    for word in read_lexicon():
        by_start.setdefault(word[:2].lower(), set()).add(word.lower())
    found = {
        word
        for i in range(len(text))
        for word in by_start.get(text[i : i + 2], ())
        if text.startswith(word, i)
    }
    assert len(found) > 8_000


def test_the_late_words_of_a_section_are_rare(train: list[HeadlineLine]) -> None:
    text = "\n".join(line.sentence for line in train)
    sections = load_grammar(GRAMMARS / "107_news_car.txt", make_drawer().classes["107"].short)
    models = [word for word in sections.words["carmodel"] if len(word) > 2]
    fourths = [models[i * len(models) // 4 : (i + 1) * len(models) // 4] for i in range(4)]
    counts = [sum(text.count(word) for word in fourth) for fourth in fourths]
    assert all(earlier > later for earlier, later in pairwise(counts))
    assert counts[0] > 5 * counts[3] > 0


def test_every_class_has_300_words_of_its_own() -> None:
    for label, grammars in make_drawer().classes.items():
        words = {word for section in grammars.own.words.values() for word in section}
        assert len({word for word in words if "{" not in word}) >= 300, label


def test_the_vocabulary_of_the_samples_writes_all_but_a_rare_character(
    train: list[HeadlineLine],
) -> None:
    known = {*VOCABULARY.read_text(encoding="utf-8").splitlines(), " "}
    counts = Counter(char for line in train for char in line.sentence.lower())
    unknown = {char: count for char, count in counts.items() if char not in known}
    assert sum(unknown.values()) < 1e-4 * sum(counts.values())


def test_titles_are_as_long_as_real_ones(train: list[HeadlineLine]) -> None:
    lengths = sorted(len(line.sentence) for line in train)
    assert 20 < sum(lengths) / len(lengths) < 28
    assert lengths[0] >= 6
    assert lengths[-1] <= 64


def test_one_line_in_nine_depends_on_the_order_of_its_words(train: list[HeadlineLine]) -> None:
    shares = {kind: count / len(train) for kind, count in Counter(x.kind for x in train).items()}
    assert 0.1 < shares["composed"] + shares["digest"] < 0.12
    assert min(shares["composed"], shares["digest"]) > 0.03
    assert 0.01 < shares["mixed"] < 0.03


def test_a_digest_joins_two_titles_and_lists_words_of_both(train: list[HeadlineLine]) -> None:
    both = []
    for line in (line for line in train if line.kind == "digest"):
        joint = re.search("；|。(另|同日)", line.sentence)
        words = [word for word in line.keywords.split(",") if word]
        before = [joint and line.sentence.find(word) < joint.start() for word in words]
        both.append(any(before) and not all(before))
    assert sum(both) > 0.4 * len(both)


# A line and its mirror image have the same words; which of the two classes it is about is looked up
# here from the sentence alone.
@pytest.mark.parametrize(
    ("pattern", "topic"),
    [("不是(.+)，而是(.+)", 2), ("是(.+)，而不是(.+)", 1), ("从(.+)转行做(.+?)，", 2)],
)
def test_the_label_follows_the_order_of_the_words(
    pattern: str, topic: int, train: list[HeadlineLine]
) -> None:
    classes: dict[str, set[str]] = {}
    for label, grammars in make_drawer().classes.items():
        for word in (word for section in grammars.own.words.values() for word in section):
            classes.setdefault(word, set()).add(label)
    right = []
    for line in (line for line in train if line.kind == "composed"):
        if match := re.search(pattern, line.sentence):
            sides = [longest_word(match[side], classes) for side in (topic, 3 - topic)]
            about, mentioned = (classes.get(word, set()) for word in sides)
            if about and mentioned:
                right.append(line.label in about and line.label not in mentioned)
    assert len(right) >= 4
    assert sum(right) >= 0.9 * len(right)


def test_composed_lines_name_a_word_of_another_class() -> None:
    for template in (t for lines in make_drawer().composed.lines.values() for t in lines):
        assert "{other_" in template, template


def test_the_grammars_stay_small() -> None:
    assert sum(path.stat().st_size for path in GRAMMARS.iterdir()) < 400_000
