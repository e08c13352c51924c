"""The floor: empty models beside a real pipeline, in the real server."""

from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton

from ernie_triton.perf.floor.ceiling import Ceiling, StageCost
from ernie_triton.perf.floor.repository import ONE_STAGE, THREE_STAGES, write_floor
from ernie_triton.server.embedded import EmbeddedServer
from tests.commands import command
from tests.conftest import options_for
from tests.perf.conftest import Tiny

main = command("perf")


@pytest.mark.live
def test_empty_models_give_a_text_back_as_it_came(tmp_path: Path) -> None:
    write_floor(tmp_path)
    texts = np.array([["手机怎么充电".encode()], [b""]], np.object_)
    with EmbeddedServer(options_for(tmp_path)) as server:
        client = triton.InferenceServerClient(server.url)
        for model in (ONE_STAGE, THREE_STAGES):
            text = triton.InferInput("text", texts.shape, "BYTES")
            text.set_data_from_numpy(texts)
            np.testing.assert_array_equal(client.infer(model, [text]).as_numpy("passed"), texts)
        client.close()


@pytest.mark.live
def test_the_command_times_the_floor_and_a_pipeline_beside_it(
    tiny: Tiny, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--repository", str(tiny.repository), "--rounds", "1", "--seconds", "0.9"]
    assert main(["floor", *options, "--name", tiny.pipeline]) == 0
    floor, ceiling = capsys.readouterr().out.split("\n\n")
    rows = [line.split("|") for line in floor.splitlines()[2:]]
    assert [row[1].strip() for row in rows] == [
        "one stage, empty",
        "three stages, empty",
        tiny.pipeline,
    ]
    assert all(float(row[2].split("(")[0]) > 0 for row in rows)
    assert rows[-1][3].strip().endswith(" ms")
    costs = {row[1].strip(): row[2:6] for row in map(_cells, ceiling.splitlines()[2:])}
    stages = [f"{tiny.pipeline}_{part}" for part in ("tokenizer", "engine", "postprocess")]
    assert list(costs) == [*stages, "server", "all but the engine"]
    times = {name: float(row[0]) for name, row in costs.items()}
    assert all(time > 0 for time in times.values())
    rest = times["server"] + times[stages[0]] + times[stages[2]]
    assert times["all but the engine"] == pytest.approx(rest, abs=2)
    assert costs[stages[0]][2].strip() == "1"
    assert costs[stages[1]][3].strip() == ""


def _cells(line: str) -> list[str]:
    return line.split("|")


def test_several_processes_of_a_stage_let_more_through() -> None:
    stages = {"a_tokenizer": StageCost(cpu_us=200, processes=3)}
    assert (
        "| a_tokenizer | 200 | 5,000 | 3 | 15,000 texts/s |"
        in Ceiling(pipeline="a", stages=stages).table().splitlines()
    )


def test_a_pipeline_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["floor", "--repository", str(tmp_path), "--name", "missing"]) == 1
    assert f"{tmp_path} has no model missing" in capsys.readouterr().err
