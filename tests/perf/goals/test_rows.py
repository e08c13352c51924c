"""Goals from made-up figures, each worked by hand."""

import pytest

from ernie_triton.model_shapes import FAMILY
from ernie_triton.perf.engines.engine_alone import PipelineFacts
from ernie_triton.perf.goals.alone import CHOSEN, TIMED_ROWS, figure_name
from ernie_triton.perf.goals.rows import goals_from, precision_advice
from ernie_triton.perf.goals.serving import ShapeFigures
from ernie_triton.perf.goals.table import Goal
from ernie_triton.perf.paired import spread

MB = 1e6


def facts(precision: str, size: float) -> PipelineFacts:
    return PipelineFacts(
        shape=FAMILY["nano"],
        parameters=100,
        engine="openvino" if precision == "int8" else "onnxruntime",
        precision=precision,
        size_bytes=int(size),
    )


def shape_figures(fp32: float, int8: float) -> ShapeFigures:
    alone = {
        figure_name(kind, rows): [factor * rows, 2 * factor * rows]
        for rows in TIMED_ROWS
        for kind, factor in {
            CHOSEN: 95.0,
            "openvino": 100.0 if rows == 8 else 50.0,
            "int8": 190.0,
        }.items()
    }
    return ShapeFigures(
        figures={
            "baseline qps": [100.0, 50.0],
            "fp32 qps": [100.0 * fp32, 50.0 * fp32],
            "ensemble qps": [80.0 * fp32, 40.0 * fp32],
            "int8 qps": [100.0 * int8, 50.0 * int8],
            "added ms": [0.5, 0.6],
            "tail": [2.2, 2.6],
            "mixed": [2.5, 2.7],
            "peak alone": [0.8, 0.9],
            "peak served": [0.7, 0.72],
            "ensemble memory": [670 * MB, 670 * MB],
            "int8 memory": [300 * MB, 320 * MB],
            **alone,
        },
        facts={
            "fp32": facts("fp32", 400 * MB),
            "int8": facts("int8", 100 * MB),
            "ensemble": facts("fp32", 400 * MB),
        },
    )


AROUND = {
    "joined": [380.0, 400.0],
    "ensemble": [1000.0, 950.0],
    "floor_stage": [240.0, 260.0],
    "floor_stages": [700.0, 700.0],
}
TOKENIZER = {"plain": spread([30.0]), "mixed": spread([3.9])}
SHAPES = {"medium": shape_figures(2.0, 5.5), "nano": shape_figures(1.5, 1.2)}


def made(native: tuple[str, ...] = ("int8",)) -> dict[str, Goal]:
    found = goals_from(SHAPES, AROUND, TOKENIZER, native)
    assert len({goal.name for goal in found}) == len(found)
    return {goal.name: goal for goal in found}


@pytest.fixture
def goals() -> dict[str, Goal]:
    return made()


def of(goals: dict[str, Goal], *words: str) -> Goal:
    (found,) = [goal for name, goal in goals.items() if all(word in name for word in words)]
    return found


def test_speed_is_taken_over_the_baseline_of_the_same_round(goals: dict[str, Goal]) -> None:
    fp32 = of(goals, "Medium FP32 joined", "baseline")
    assert (fp32.figure.lowest, fp32.figure.highest, fp32.is_met) == (2.0, 2.0, True)
    assert fp32.note == "onnxruntime; 150 against 75"
    assert of(goals, "Nano FP32 ensemble", "baseline").figure.median == pytest.approx(1.2)


def test_a_precision_is_asked_for_more_where_the_processor_has_its_products(
    goals: dict[str, Goal],
) -> None:
    assert of(goals, "Medium INT8", "baseline").bound == 5.0
    assert of(made(native=()), "Medium INT8", "baseline").bound == 1.6


def test_the_advice_says_which_precision_pays() -> None:
    medium, nano = precision_advice(SHAPES).split(" Nano")
    assert medium == (
        "Medium in INT8 answers 2.75x (2.75 to 2.75) as many requests/s as in FP32: it pays on "
        "this processor."
    )
    assert "0.80x" in nano
    assert "does not pay" in nano


def test_the_choice_is_held_to_other_engines_of_its_precision(goals: dict[str, Goal]) -> None:
    eight = of(goals, "Medium FP32 alone at 8 rows, texts/s")
    assert eight.figure.median == pytest.approx(0.95)
    assert (eight.is_met, eight.note) == (False, "onnxruntime over openvino; 0.50x of INT8")
    assert of(goals, "Medium FP32 alone at 32 rows, texts/s").figure.median == pytest.approx(1.9)


def test_the_peak_is_medium_s_and_the_time_added_nano_s(goals: dict[str, Goal]) -> None:
    assert of(goals, "alone at 32 rows, of").is_met
    assert not of(goals, "joined, at concurrency 32, of").is_met
    added = of(goals, "above the engine")
    assert added.name.startswith("Nano FP32 joined")
    assert added.is_met


def test_memory_is_allowed_by_weights_in_the_engines_precision(goals: dict[str, Goal]) -> None:
    # By the engine's files, 1.3 x their size + 150 MB.
    assert of(goals, "Medium INT8", "memory").figure.highest == pytest.approx(320 / 280)
    assert of(goals, "Medium FP32 ensemble", "memory").figure.median == pytest.approx(1.0)


def test_the_way_around_an_engine_tells_what_the_server_takes(goals: dict[str, Goal]) -> None:
    joined = of(goals, "CPU of a request", "joined")
    assert (joined.figure.median, joined.is_met) == (390.0, True)
    assert joined.note == "Triton with a stage that computes nothing 250 µs, the rest 140 µs"
    assert not of(goals, "CPU of a request", "ensemble").is_met


def test_the_tokenizer_has_a_bound_for_each_kind(goals: dict[str, Goal]) -> None:
    assert of(goals, "Tokenizer", "plain").is_met
    assert not of(goals, "Tokenizer", "mixed").is_met
