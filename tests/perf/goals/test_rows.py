"""Goals from made-up figures, each worked by hand."""

import pytest

from ernie_triton.model_shapes import FAMILY
from ernie_triton.perf.engines.engine_alone import PipelineFacts
from ernie_triton.perf.goals.rows import goals_from
from ernie_triton.perf.goals.serving import ShapeFigures
from ernie_triton.perf.goals.table import Goal
from ernie_triton.perf.paired import spread

MB = 1e6


def facts(precision: str, parameters: int, size: float) -> PipelineFacts:
    return PipelineFacts(
        shape=FAMILY["nano"], parameters=parameters, precision=precision, size_bytes=int(size)
    )


def shape_figures(int8: float, bf16: float) -> ShapeFigures:
    return ShapeFigures(
        figures={
            "baseline qps": [100.0, 50.0],
            "int8 qps": [100.0 * int8, 50.0 * int8],
            "bf16 qps": [100.0 * bf16, 50.0 * bf16],
            "int8 alone": [125.0 * int8, 62.5 * int8],
            "int8 batch": [16.0, 18.0],
            "int8 added ms": [0.7, 0.9],
            "joined qps": [110.0 * int8, 55.0 * int8],
            "joined alone": [137.5 * int8, 68.75 * int8],
            "joined batch": [20.0, 22.0],
            "joined added ms": [0.5, 0.6],
            "joined tail": [2.2, 2.6],
            "joined mixed": [2.5, 2.7],
            "floor added ms": [0.3, 0.5],
            "int8 tail": [2.0, 2.5],
            "int8 mixed": [1.5, 1.7],
            "int8 memory": [300 * MB, 320 * MB],
            "bf16 memory": [410 * MB, 410 * MB],
        },
        facts={
            "int8": facts("int8", 100, 100 * MB),
            "bf16": facts("bf16", 100, 200 * MB),
        },
    )


TOKENIZER = {"plain": spread([30.0]), "mixed": spread([2.5])}


@pytest.fixture
def goals() -> dict[str, Goal]:
    shapes = {"medium": shape_figures(6.0, 3.0), "nano": shape_figures(2.0, 2.8)}
    found = goals_from(shapes, TOKENIZER)
    assert len({goal.name for goal in found}) == len(found)
    return {goal.name: goal for goal in found}


def of(goals: dict[str, Goal], *words: str) -> Goal:
    (found,) = [goal for name, goal in goals.items() if all(word in name for word in words)]
    return found


def test_speed_is_taken_over_the_baseline_of_the_same_round(goals: dict[str, Goal]) -> None:
    int8 = of(goals, "Medium INT8,", "baseline")
    assert (int8.figure.lowest, int8.figure.highest, int8.is_met) == (6.0, 6.0, True)
    assert int8.note == "INT8 450 over 75"
    assert not of(goals, "Medium BF16", "baseline").is_met


def test_joined_stages_are_asked_for_the_same(goals: dict[str, Goal]) -> None:
    joined = of(goals, "Medium INT8 joined", "baseline")
    assert joined.figure.median == pytest.approx(6.6)
    assert joined.note == "495 over 75"
    assert of(goals, "Nano INT8 joined", "above the engine").is_met
    assert of(goals, "Medium INT8 joined", "engine alone").figure.median == pytest.approx(0.8)
    assert of(goals, "Medium INT8 joined", "maximum rate").is_met
    assert not of(goals, "Medium INT8 joined", "short texts").is_met


def test_nano_counts_with_its_better_precision(goals: dict[str, Goal]) -> None:
    better = of(goals, "Nano, the better")
    assert better.figure.median == pytest.approx(2.8)
    assert better.note.startswith("BF16")


def test_the_engine_alone_bounds_the_server(goals: dict[str, Goal]) -> None:
    alone = of(goals, "Medium INT8,", "engine alone")
    assert alone.figure.median == pytest.approx(0.8)
    assert (alone.is_met, alone.note) == (False, "mean batch 17.0")


def test_memory_is_allowed_by_weights_in_the_engines_precision(goals: dict[str, Goal]) -> None:
    # By the engine's files, 1.3 x their size + 150 MB.
    assert of(goals, "Medium INT8", "memory").figure.highest == pytest.approx(320 / 280)
    bf16 = of(goals, "Medium BF16", "memory")
    assert bf16.figure.median == pytest.approx(1.0)
    assert bf16.is_met


def test_the_tokenizer_has_a_bound_for_each_kind(goals: dict[str, Goal]) -> None:
    assert of(goals, "Tokenizer", "plain").is_met
    assert not of(goals, "Tokenizer", "mixed").is_met


def without_bf16(figures: ShapeFigures) -> ShapeFigures:
    return ShapeFigures(
        figures={name: one for name, one in figures.figures.items() if "bf16" not in name},
        facts={"int8": figures.facts["int8"]},
    )


def test_a_processor_without_bf16_has_the_other_goals() -> None:
    shapes = {"medium": shape_figures(6.0, 3.0), "nano": shape_figures(2.0, 2.8)}
    every = [goal.name for goal in goals_from(shapes, TOKENIZER)]
    found = goals_from({name: without_bf16(one) for name, one in shapes.items()}, TOKENIZER)
    names = [goal.name for goal in found]
    assert [name for name in every if "BF16" not in name] == [
        name for name in names if not name.startswith("Nano INT8, QPS")
    ]
    (nano,) = [goal for goal in found if goal.name.startswith("Nano INT8, QPS")]
    assert nano.figure.median == pytest.approx(2.0)
