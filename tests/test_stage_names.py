"""A stage's model name is its pipeline's and its part's."""

import pytest

from ernie_triton.stage_names import PARTS, pipeline_and_part, stage_name, without_stages


@pytest.mark.parametrize("part", PARTS)
def test_a_stage_name_comes_apart_again(part: str) -> None:
    assert pipeline_and_part(stage_name("ernie_seq_cls", part)) == ("ernie_seq_cls", part)


@pytest.mark.parametrize(
    "model", ["ernie_seq_cls", "engine", "_engine", "my_engines", "a_engine_b"]
)
def test_other_models_have_no_part(model: str) -> None:
    assert pipeline_and_part(model) == (model, "")


def test_only_stages_of_a_listed_pipeline_are_left_out() -> None:
    models = ["news", *(stage_name("news", part) for part in PARTS), "search_engine"]
    assert without_stages(models) == ["news", "search_engine"]
