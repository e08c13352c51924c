"""Settings travel as string parameters, and those at their default not at all."""

from __future__ import annotations

import pytest

from ernie_triton.errors import PipelineError
from ernie_triton.settings import TokenizerSettings

SETTINGS = TokenizerSettings(
    task="qa", pair=True, max_length=64, lower_case=False, overlap=16, max_windows=9
)
PARAMETERS = {
    "task": "qa",
    "pair": "true",
    "max_length": "64",
    "lower_case": "false",
    "overlap": "16",
    "max_windows": "9",
}


def test_a_setting_at_its_default_is_no_parameter() -> None:
    assert SETTINGS.to_parameters() == PARAMETERS
    assert TokenizerSettings.from_parameters(PARAMETERS) == SETTINGS


def test_a_setting_that_differs_from_its_default_is_one() -> None:
    parameters = PARAMETERS | {"length_bucket": "8", "tokenize_chinese_chars": "false"}
    settings = TokenizerSettings.from_parameters(parameters)
    assert settings.length_bucket == 8
    assert settings.tokenize_chinese_chars is False
    assert settings.to_parameters() == parameters


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_setting_without_a_default_has_to_be_there(name: str) -> None:
    fewer = {key: value for key, value in PARAMETERS.items() if key != name}
    with pytest.raises(PipelineError, match="rebuild the pipeline"):
        TokenizerSettings.from_parameters(fewer)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"bucket": "8"}, r"the stage has the parameters \['bucket', .*rebuild the pipeline"),
        ({"length_bucket": "eight"}, "parameter length_bucket is 'eight'; expected int"),
        ({"pair": "True"}, "parameter pair is 'True'; expected bool"),
    ],
)
def test_unknown_parameters_and_wrong_types_are_refused(
    changed: dict[str, str], message: str
) -> None:
    with pytest.raises(PipelineError, match=message):
        TokenizerSettings.from_parameters(PARAMETERS | changed)
