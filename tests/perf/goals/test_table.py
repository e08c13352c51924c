"""A goal is met by its median, and the table says where rounds disagree."""

import json
import struct
from pathlib import Path

import pytest

from ernie_triton.errors import DatasetError
from ernie_triton.perf.goals.picture import draw_goals
from ernie_triton.perf.goals.table import Goal, GoalsRun, goals_table, read_goals
from ernie_triton.perf.paired import spread
from tests.commands import command
from tests.perf.made_up import machine

main = command("perf")


def goal(values: list[float], *, bound: float, kind: str, aim: float | None = None) -> Goal:
    return Goal(
        name="speed", figure=spread(values), unit="x", bound=bound, kind=kind, aim=aim, note="why"
    )


@pytest.mark.parametrize(
    ("values", "kind", "met", "certain"),
    [
        ([5.0, 5.1, 6.0], "least", True, True),
        ([4.9, 5.1, 6.0], "least", True, False),
        ([4.0, 4.9, 5.1], "least", False, False),
        ([4.0, 4.5, 4.9], "least", False, True),
        ([4.0, 4.5, 5.0], "most", True, True),
        ([4.0, 5.5, 6.0], "most", False, False),
        ([5.2, 5.5, 6.0], "most", False, True),
    ],
)
def test_the_median_decides_and_the_range_tells_how_surely(
    values: list[float], kind: str, met: bool, certain: bool
) -> None:
    found = goal(values, bound=5.0, kind=kind)
    assert (found.is_met, found.is_certain) == (met, certain)


def test_rows_show_figure_bound_and_verdict() -> None:
    goals = [
        goal([5.5, 6.2, 6.3], bound=5.0, kind="least", aim=6.0),
        goal([0.9, 1.2, 1.3], bound=1.0, kind="most"),
    ]
    assert goals_table(goals).splitlines()[2:] == [
        "| speed (why) | 6.20x (5.50 to 6.30) | ≥ 5x, aim 6x | yes |",
        "| speed (why) | 1.20x (0.90 to 1.30) | ≤ 1x | **no**, not in every round |",
    ]


def test_a_bound_is_a_least_or_a_most() -> None:
    with pytest.raises(ValueError, match="least or most"):
        goal([1.0], bound=1.0, kind="about")


def goals_run() -> GoalsRun:
    return GoalsRun(
        started_at="2026-01-01T00:00:00+00:00",
        machine=machine(),
        commit="abc",
        load=0.25,
        note="by hand",
        rounds=3,
        seconds=6.0,
        goals=(
            goal([5.5, 6.2, 6.3], bound=5.0, kind="least", aim=6.0),
            goal([0.9, 1.2, 1.3], bound=1.0, kind="most"),
        ),
        figures={"nano": {"int8 qps": [1.0]}},
    )


def test_the_run_is_written_with_its_verdicts_and_read_again(tmp_path: Path) -> None:
    run = goals_run()
    content = json.loads(run.to_json())
    assert [one["is_met"] for one in content["goals"]] == [True, False]
    path = tmp_path / "goals.json"
    path.write_text(run.to_json(), encoding="utf-8")
    assert read_goals(path) == run
    heading = run.table().splitlines()[0]
    assert "a processor, 2 cores, a system" in heading
    assert ", commit abc; load before 0.2; 3 rounds in turn" in heading
    assert heading.endswith("; by hand")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"machine": {}, "goals": [{}]}'])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "goals.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=r"goals\.json cannot be read"):
        read_goals(path)


def test_an_earlier_run_is_shown_and_drawn_without_measuring(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, picture = tmp_path / "goals.json", tmp_path / "pictures" / "goals.png"
    path.write_text(goals_run().to_json(), encoding="utf-8")
    assert main(["goals", "--from", str(path), "--plot", str(picture)]) == 0
    printed = capsys.readouterr().out
    assert printed == f"{goals_run().table()}\n\n{picture}\n"
    header = picture.read_bytes()[:24]
    assert header[1:4] == b"PNG"
    assert struct.unpack(">II", header[16:24]) >= (1000, 200)


def test_a_picture_says_figure_bound_and_place(tmp_path: Path) -> None:
    picture = tmp_path / "goals.svg"
    draw_goals(goals_run(), picture)
    text = picture.read_text(encoding="utf-8")
    assert "6.20x (wanted ≥ 5x)" in text
    assert "1.20x (wanted ≤ 1x)" in text
    assert "a processor, 2 cores, 2026-01-01, commit abc; by hand" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--from", "missing.json"], "missing.json cannot be read"),
        (["--from", "{file}", "--plot", "{folder}/goals.xyz"], "goals.xyz cannot be written"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    path = tmp_path / "goals.json"
    path.write_text(goals_run().to_json(), encoding="utf-8")
    assert main(["goals", *(one.format(file=path, folder=tmp_path) for one in options)]) == 1
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_an_output_without_a_measurement_is_wrong_usage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["goals", "--from", "goals.json", "--output", "other.json"])
    assert stopped.value.code == 2
    assert "leave it out with --from" in capsys.readouterr().err
