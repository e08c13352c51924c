"""There is one tree of errors, so that one `except` catches whatever the user can mend."""

from __future__ import annotations

import inspect

import pytest

from ernie_triton import errors
from ernie_triton.errors import (
    ClientError,
    ContractError,
    DeadlineExceededError,
    ErnieTritonError,
    MissingExtraError,
    ModelNotReadyError,
    QueueFullError,
    RequestRefusedError,
    ServerUnavailableError,
)

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("kind", ALL)
def test_every_error_is_of_the_tree_and_says_when_it_is_raised(kind: type[Exception]) -> None:
    assert issubclass(kind, ErnieTritonError)
    assert not issubclass(ErnieTritonError, (ValueError, OSError, RuntimeError))
    assert kind.__doc__


def test_what_a_server_refuses_is_told_from_its_absence() -> None:
    away = (ServerUnavailableError, ModelNotReadyError)
    refused = (QueueFullError, RequestRefusedError, DeadlineExceededError, ContractError)
    kinds = [kind for kind in ALL if issubclass(kind, ClientError) and kind is not ClientError]
    # Each is of one kind alone: a caller that repeats after one does not repeat after another.
    assert all(sum(issubclass(kind, one) for one in (*away, *refused)) == 1 for kind in kinds)


def test_a_missing_package_comes_with_the_command_that_installs_it() -> None:
    assert str(MissingExtraError("openvino", "backends", "engine openvino")) == (
        "engine openvino needs the package 'openvino', which is not installed; "
        "run: pip install 'ernie-triton[backends]'"
    )
