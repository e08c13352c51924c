"""The tuned file says the tuned values, and is the given one otherwise."""

from pathlib import Path

import pytest

from ernie_triton.errors import PipelineError
from ernie_triton.perf.tuning.setting import DEFAULTS, Setting, setting_of
from ernie_triton.perf.tuning.toml_file import write_tuned
from ernie_triton.pipeline import load_pipeline
from tests.paths import ROOT

TUNED = Setting(threads=1, instances=2, max_batch_size=16, max_queue_delay_us=500)

PLAIN = """# A pipeline.
task = "seq_cls"
checkpoint = "../c"
repository = "r"
"""
FULL = """# A pipeline.
task = "seq_cls"
checkpoint = "../c"
  threads = 4  # all but those of the neighbours
repository = "r"

[answering]
per_token = false

[ batching ] # of all stages
max_queue_size = 9
max_batch_size = 32# most
[tensorrt]
builder_level = 2
"""


def tuned(tmp_path: Path, text: str, setting: Setting = TUNED) -> tuple[Path, Path]:
    source = tmp_path / "p.toml"
    source.write_text(text, encoding="utf-8")
    output = tmp_path / "p.tuned.toml"
    write_tuned(output, source, setting, ["one", "two"])
    return source, output


@pytest.mark.parametrize("text", [PLAIN, FULL, PLAIN.rstrip(), PLAIN + "[batching]\n"])
def test_what_is_loaded_is_the_pipeline_with_the_tuned_values(tmp_path: Path, text: str) -> None:
    source, output = tuned(tmp_path, text)
    assert load_pipeline(output) == TUNED.applied_to(load_pipeline(source))
    assert setting_of(load_pipeline(output)) == TUNED
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.toml", "p.tuned.toml"]


def test_other_lines_stay_and_values_change_in_their_place(tmp_path: Path) -> None:
    _, output = tuned(tmp_path, FULL)
    assert (
        output.read_text(encoding="utf-8")
        == """# tune: one
# tune: two
# A pipeline.
task = "seq_cls"
checkpoint = "../c"
  threads = 1  # all but those of the neighbours
repository = "r"
instances = 2

[answering]
per_token = false

[ batching ] # of all stages
max_queue_size = 9
max_batch_size = 16# most
max_queue_delay_us = 500
[tensorrt]
builder_level = 2
"""
    )


def test_values_that_are_as_wanted_are_not_added(tmp_path: Path) -> None:
    _, output = tuned(tmp_path, PLAIN, DEFAULTS)
    assert output.read_text(encoding="utf-8") == f"# tune: one\n# tune: two\n{PLAIN}"


def test_notes_of_an_earlier_tuning_are_replaced(tmp_path: Path) -> None:
    _, output = tuned(tmp_path, f"# tune: older\n{PLAIN}")
    assert "older" not in output.read_text(encoding="utf-8")


@pytest.mark.parametrize("pipeline", sorted((ROOT / "pipelines").glob("*.toml")), ids=str)
def test_every_committed_pipeline_can_be_tuned(pipeline: Path, tmp_path: Path) -> None:
    source, output = tuned(tmp_path, pipeline.read_text(encoding="utf-8"))
    assert load_pipeline(output) == TUNED.applied_to(load_pipeline(source))


@pytest.mark.parametrize(
    "text",
    [PLAIN + "batching = { max_batch_size = 32 }\n", PLAIN + "batching.max_batch_size = 32\n"],
)
def test_a_file_that_cannot_be_edited_is_told_with_the_values(tmp_path: Path, text: str) -> None:
    with pytest.raises(PipelineError, match="set by hand: threads 1, instances 2"):
        tuned(tmp_path, text)
    assert [path.name for path in tmp_path.iterdir()] == ["p.toml"]


def test_processes_of_the_stages_are_written(tmp_path: Path) -> None:
    setting = Setting(tokenizer_instances=2, postprocess_instances=1)
    _, output = tuned(tmp_path, PLAIN + "joined = false\n", setting)
    assert setting_of(load_pipeline(output)) == setting
