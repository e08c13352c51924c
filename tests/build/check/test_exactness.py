"""An engine that answers otherwise than its source is refused, with the figure and the place."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ernie_triton.batch import ANY_ROWS, TokenBatch
from ernie_triton.build.check.exactness import compare
from ernie_triton.build.check.exported_reference import Reference, RowTokens
from ernie_triton.build.check.sample_texts import SAMPLE_TEXTS, SampleRules, read_sample_texts
from ernie_triton.engines import Engine
from ernie_triton.errors import ExactnessError, TextError
from ernie_triton.settings import EngineSettings
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from tests.build.models import random_rows, vocabulary_lines, write_vocabulary

Scores = npt.NDArray[np.float32]
BATCH = random_rows((3, 2, 5, 4, 2))


class GivenScores:
    """A runtime that scores a row by its length, from a table; the seam to the real ones."""

    token_step = row_step = 1
    most_cells = 2048
    most_rows = ANY_ROWS

    def __init__(self, table: Mapping[int, list[float]]) -> None:
        self.input_types: Mapping[str, npt.DTypeLike] = dict.fromkeys(
            ("input_ids", "token_type_ids", "lengths"), np.int32
        )
        self.table = table
        self.rows: list[int] = []

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, Scores]:
        lengths = inputs["lengths"].tolist()
        assert len(inputs["input_ids"]) == len(inputs["token_type_ids"]) == sum(lengths)
        self.rows.append(len(lengths))
        scores = [self.table.get(length, [0.5, 1.0]) for length in lengths]
        return {"logits": np.array(scores, np.float32)}


def engine(runtime: GivenScores, precision: str = "fp32", task: str = "seq_cls") -> Engine:
    settings = EngineSettings(
        task=task,
        pair=True,
        engine="openvino",
        precision=precision,
        layout="packed",
        threads=2,
        max_length=8,
        pad_token_id=0,
        vocabulary_size=60,
        token_types=1,
    )
    return Engine(runtime=runtime, settings=settings)


def always(*scores: float) -> Reference:
    return Reference(name="the source", outputs=lambda _: {"logits": np.array(scores, np.float32)})


SOURCE = always(0.5, 1.0)


def test_an_exact_engine_passes_with_its_figures() -> None:
    exactness = compare(engine(GivenScores({4: [0.5, 1.00006]})), SOURCE, BATCH, 64)
    assert exactness.largest_difference == pytest.approx(6e-5, rel=0.01)
    assert (exactness.reference, exactness.texts) == ("the source", 5)
    assert (exactness.tolerance, exactness.same_decisions) == (1e-4, 5)


def test_changed_decisions_are_counted() -> None:
    near = always(0.998, 1.0)
    table = {length: [0.998, 1.0] for length in (3, 4, 5)} | {2: [1.001, 1.0]}
    exactness = compare(engine(GivenScores(table), "bf16"), near, BATCH, 64)
    assert (exactness.same_decisions, exactness.texts) == (3, 5)
    assert exactness.tolerance == 2e-2


def test_the_error_names_the_figure_the_text_and_the_label() -> None:
    runtime = GivenScores({5: [0.5, 1.0003], 4: [0.7, 1.0]})
    expected = (
        r"the fp32 engine differs from the source by 2\.00e-01, more than the 1e-04 allowed: "
        r"sample text 4, logits \[0\]: 0\.70000 instead of 0\.50000$"
    )
    with pytest.raises(ExactnessError, match=expected):
        compare(engine(runtime), SOURCE, BATCH, 64)


def test_a_bf16_engine_that_misses_is_told_the_way_out() -> None:
    ways = r"; build with --precision fp32, or accept it with --tolerance 0\.12$"
    with pytest.raises(ExactnessError, match=rf"bf16 engine .*{ways}"):
        compare(engine(GivenScores({3: [0.6, 1.0]}), "bf16"), SOURCE, BATCH, 64)


@pytest.mark.parametrize(
    ("source", "ways"),
    [
        (
            dataclasses.replace(SOURCE, is_narrow=True),
            r"; the graph computes with 16 bits: export it in FP32, or accept it with ",
        ),
        (dataclasses.replace(SOURCE, is_graph=True), r"; a graph whose .*, or accept it with "),
    ],
)
def test_a_graph_that_differs_in_fp32_is_told_the_way_out(source: Reference, ways: str) -> None:
    with pytest.raises(ExactnessError, match=rf"fp32 engine .*{ways}--tolerance 0\.12$"):
        compare(engine(GivenScores({3: [0.6, 1.0]})), source, BATCH, 64)


class GivenPointers(GivenScores):
    """The same score as start and end of every token."""

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, Scores]:
        scores = np.full(int(inputs["lengths"].sum()), self.table[0][0], np.float32)
        return {"start_logits": scores, "end_logits": scores}


def test_pointers_are_compared_by_their_probabilities() -> None:
    def sure(row: RowTokens) -> dict[str, Scores]:
        scores = np.full(len(row[0]), 8.0, np.float32)
        return {"start_logits": scores, "end_logits": scores}

    source = Reference(name="the source", outputs=sure)
    near = engine(GivenPointers({0: [8.3]}), "bf16", "extraction")
    assert compare(near, source, BATCH, 64).largest_difference < 1e-3
    with pytest.raises(ExactnessError, match=r"start_logits \[0\]: 0\.95257 instead of 0\.99966"):
        compare(engine(GivenPointers({0: [3.0]}), "bf16", "extraction"), source, BATCH, 64)


def test_pointers_decide_by_the_places_and_not_by_the_highest_of_equal_ones() -> None:
    def rounded(row: RowTokens) -> dict[str, Scores]:
        scores = np.full(len(row[0]), 20.0, np.float32)
        scores[-1] += 1.0
        return {"start_logits": scores, "end_logits": scores}

    source = Reference(name="the source", outputs=rounded)
    same = compare(engine(GivenPointers({0: [20.0]}), task="extraction"), source, BATCH, 64)
    assert same.same_decisions == same.texts
    other = compare(
        engine(GivenPointers({0: [-0.01]}), "bf16", "extraction"),
        Reference(
            name="the source",
            outputs=lambda row: {
                name: np.full(len(row[0]), 0.01, np.float32)
                for name in ("start_logits", "end_logits")
            },
        ),
        BATCH,
        64,
    )
    assert other.same_decisions == 0


def test_what_the_user_accepts_is_accepted_and_recorded() -> None:
    runtime = GivenScores({3: [0.6, 1.0]})
    exactness = compare(engine(runtime), SOURCE, BATCH, 64, tolerance=0.12)
    assert exactness.tolerance == 0.12
    assert exactness.largest_difference == pytest.approx(0.1)
    with pytest.raises(ExactnessError, match="more than the 9e-02 allowed"):
        compare(engine(runtime), SOURCE, BATCH, 64, tolerance=0.09)


@pytest.mark.parametrize("tolerance", [0.0, 1e9, np.inf, np.nan])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_refused_whatever_is_accepted(
    value: float, tolerance: float
) -> None:
    expected = r"by inf, .* sample text 3, logits \[1\]: (nan|-?inf) instead of 1\.00000"
    with pytest.raises(ExactnessError, match=expected):
        compare(engine(GivenScores({5: [0.5, value]})), SOURCE, BATCH, 64, tolerance=tolerance)


def test_int8_has_no_limit_on_scores_unless_one_is_set() -> None:
    runtime = GivenScores({3: [9.0, 1.0]})
    exactness = compare(engine(runtime, "int8"), SOURCE, BATCH, 64)
    assert (exactness.tolerance, exactness.largest_difference) == (None, 8.5)
    with pytest.raises(ExactnessError, match=r"the int8 engine differs .* more than the 1e"):
        compare(engine(runtime, "int8"), SOURCE, BATCH, 64, tolerance=1.0)
    with pytest.raises(ExactnessError, match="by inf"):
        compare(engine(GivenScores({3: [np.nan, 1.0]}), "int8"), SOURCE, BATCH, 64)


def test_no_tolerance_is_offered_for_what_is_no_number() -> None:
    with pytest.raises(ExactnessError) as caught:
        compare(engine(GivenScores({3: [0.5, np.nan]}), "bf16"), SOURCE, BATCH, 64)
    assert "--tolerance" not in str(caught.value)


def test_a_source_that_answers_no_number_is_refused() -> None:
    broken = always(np.nan, np.nan)
    with pytest.raises(ExactnessError, match=r"by inf, .* 0\.50000 instead of nan"):
        compare(engine(GivenScores({})), broken, BATCH, 64)


def test_another_number_of_scores_is_refused() -> None:
    wider = GivenScores({length: [0.0, 1.0, 2.0] for length in range(2, 6)})
    with pytest.raises(
        ExactnessError,
        match=r"returns logits of the shape \[3\] for sample text 1, the source \[2\]",
    ):
        compare(engine(wider), SOURCE, BATCH, 64)


class GivenSpans:
    """A runtime whose start score of a token is its id, and the end score the negative."""

    token_step = row_step = 1
    most_cells = 2048
    most_rows = ANY_ROWS
    input_types: Mapping[str, npt.DTypeLike] = dict.fromkeys(
        ("input_ids", "token_type_ids", "lengths"), np.int32
    )

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, Scores]:
        ids = inputs["input_ids"].astype(np.float32)
        return {"start_logits": ids, "end_logits": -ids}


def spans_of(shift: float) -> Reference:
    """The source that gives the same, but for the end score of token 2 of rows of length 4."""

    def outputs(row: RowTokens) -> dict[str, Scores]:
        ids = row[0].astype(np.float32)
        end = -ids
        if len(ids) == 4:
            end[2] += shift
        return {"start_logits": ids, "end_logits": end}

    return Reference(name="the source", outputs=outputs)


def test_every_output_of_every_token_of_every_row_is_compared() -> None:
    qa = dataclasses.replace(engine(GivenScores({})).settings, task="qa")
    spans = Engine(runtime=GivenSpans(), settings=qa)
    for most in (64, 2):
        exactness = compare(spans, spans_of(0.0), BATCH, most)
        assert (exactness.largest_difference, exactness.same_decisions) == (0.0, 5)
        with pytest.raises(ExactnessError, match=r"by 5\.00e-01, .* text 4, end_logits \[2\]: "):
            compare(spans, spans_of(0.5), BATCH, most)


@pytest.mark.parametrize(("most", "runs"), [(64, [5]), (5, [5]), (2, [2, 2, 1]), (1, [1] * 5)])
def test_no_run_has_more_rows_than_allowed(most: int, runs: list[int]) -> None:
    runtime = GivenScores({4: [0.5, 1.0]})
    compare(engine(runtime), SOURCE, BATCH, most)
    assert runtime.rows == runs


def test_our_sample_texts_are_single_texts_or_pairs_of_neighbours() -> None:
    texts = read_sample_texts(None, SampleRules(texts=1))
    lines = SAMPLE_TEXTS.read_text(encoding="utf-8").splitlines()
    assert texts.columns == (tuple(lines),)
    assert texts.row(1) == (lines[1],)
    pairs = read_sample_texts(None, SampleRules(texts=2))
    assert pairs.columns == (tuple(lines), (*lines[1:], lines[0]))
    assert pairs.row(2) == (lines[2], lines[3])
    triples = read_sample_texts(None, SampleRules(texts=3))
    assert triples.row(len(lines) - 1) == (lines[-1], *lines[:2])
    masked = read_sample_texts(None, SampleRules(mask="[MASK]"))
    place = min(len(lines[3]) // 2, 12)
    assert masked.row(3) == (f"{lines[3][:place]}[MASK]{lines[3][place + 1 :]}", "")
    assert all(text.count("[MASK]") == 1 for text in masked.columns[0])


def test_sample_texts_of_a_file_may_hold_pairs(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("甲\t乙\n\n丙\n丁\t戊\t己\n", encoding="utf-8")
    texts = read_sample_texts(path, SampleRules(texts=2))
    assert [texts.row(index) for index in range(3)] == [
        ("甲", "乙"),
        ("丙", "丁\t戊\t己"),
        ("丁", "戊\t己"),
    ]
    assert read_sample_texts(path, SampleRules(texts=1)).columns == (
        ("甲\t乙", "丙", "丁\t戊\t己"),
    )


def test_sample_texts_become_one_batch_of_tokens(tmp_path: Path) -> None:
    vocabulary = load_vocabulary(write_vocabulary(tmp_path / "vocab.txt", vocabulary_lines()))
    path = tmp_path / "texts.txt"
    path.write_text("1 2\n3\n", encoding="utf-8")
    batch = read_sample_texts(path, SampleRules(texts=2)).encode(
        TextEncoder(vocabulary, max_length=16, lower_case=True)
    )
    one, two, three = (vocabulary.ids[digit] for digit in "123")
    assert isinstance(batch, TokenBatch)
    assert batch.input_ids.tolist() == [1, one, two, 2, three, 2, 1, three, 2, one, two, 2]
    assert batch.token_type_ids.tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1]
    assert batch.lengths.tolist() == [6, 6]


@pytest.mark.parametrize(
    ("content", "fault"),
    [(b"", "has 0 lines"), (b"one\n\n \n", "has 1 lines"), (b"\xff\xfe\n", "is damaged")],
)
def test_sample_texts_that_are_none_are_refused(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "texts.txt"
    path.write_bytes(content)
    with pytest.raises(TextError, match=fault):
        read_sample_texts(path, SampleRules(texts=1))
    with pytest.raises(TextError, match="cannot be read"):
        read_sample_texts(tmp_path / "nowhere", SampleRules(texts=1))
