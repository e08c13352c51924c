"""The arrays of a `.pdparams` are read; anything else in its pickle is refused and never run."""

import builtins
import os
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ernie_triton.build.load.paddle.checkpoint import read_pdparams
from ernie_triton.errors import CheckpointError, UnsafePickleError
from tests.build.models import PADDLE_EXAMPLE

EXAMPLE = PADDLE_EXAMPLE / "seq_cls_checkpoint/model_state.pdparams"
MARK = "the-payload-ran"


class Payload:
    """Calls a function with an argument when it is unpickled."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def written(path: Path, content: Any, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_arrays_come_back_as_they_were(tmp_path: Path, protocol: int) -> None:
    random = np.random.default_rng(0)
    arrays = {
        "a.weight": random.normal(size=(3, 4)).astype(np.float32),
        "b.weight": np.asfortranarray(random.normal(size=(4, 2)).astype(np.float32)),
        "c.bias": np.zeros(0, np.float32),
    }
    found = read_pdparams(written(tmp_path / "weights", arrays, protocol))
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], array)


def test_paddle_s_own_file_gives_every_array_and_no_bookkeeping() -> None:
    found = read_pdparams(EXAMPLE)
    expected = pickle.loads(EXAMPLE.read_bytes())
    assert expected.pop("StructuredToParameterName@@")
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


def test_bfloat16_is_read_from_its_bits(tmp_path: Path) -> None:
    # Sign, eight bits of exponent, seven of fraction: 1, -2, 0.15625, and 1 + 2**-7.
    bits = np.array([0x3F80, 0xC000, 0x3E20, 0x3F81], np.uint16)
    found = read_pdparams(written(tmp_path / "weights", {"w": bits}))["w"]
    assert found.dtype == np.float32
    assert found.tolist() == [1.0, -2.0, 0.15625, 1.0078125]


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4"])
def test_other_floating_types_become_float32(tmp_path: Path, dtype: npt.DTypeLike) -> None:
    found = read_pdparams(written(tmp_path / "weights", {"w": np.array([0.5, -3], dtype)}))["w"]
    assert found.dtype == np.float32
    assert found.tolist() == [0.5, -3.0]


def test_integer_buffers_are_passed_over(tmp_path: Path) -> None:
    content = {"w": np.ones(2, np.float32), "bert.embeddings.position_ids": np.arange(4)}
    assert list(read_pdparams(written(tmp_path / "weights", content))) == ["w"]


@pytest.mark.parametrize(
    ("array", "fault"),
    [
        (np.ones(2, np.int8), "w has the type int8; expected floating-point weights"),
        (np.array(["a"]), "the pickle holds an array of the type U1"),
        (np.array([1, np.nan], np.float32), "w holds values that are not finite"),
        (np.array([np.inf], np.float32), "w holds values that are not finite"),
        (np.array([0x7F80], np.uint16), "w holds values that are not finite"),
    ],
)
def test_arrays_that_are_no_weights_are_refused(
    tmp_path: Path, array: npt.NDArray[Any], fault: str
) -> None:
    with pytest.raises(CheckpointError, match=fault):
        read_pdparams(written(tmp_path / "weights", {"w": array}))


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("place", ["alone", "beside the weights", "inside an array"])
@pytest.mark.parametrize(
    ("function", "asked"),
    [
        (os.system, "posix.system"),
        (builtins.eval, "builtins.eval"),
        (subprocess.check_call, "subprocess.check_call"),
        (np.fromfile, r"numpy(\.core\.multiarray)?\.fromfile"),
    ],
)
def test_a_pickle_that_calls_anything_is_refused_and_not_run(
    tmp_path: Path, function: Callable[..., Any], asked: str, place: str, protocol: int
) -> None:
    mark = tmp_path / MARK
    commands = {
        "system": f"touch {mark}",
        "eval": f"open({str(mark)!r}, 'w')",
        "check_call": ["touch", str(mark)],
        "fromfile": str(mark),
    }
    payload = Payload(function, commands[function.__name__])
    weights = np.ones(3, np.float32)
    content = {
        "alone": payload,
        "beside the weights": {"a": weights, "b": payload},
        "inside an array": {"a": np.array([payload], dtype=object)},
    }[place]
    path = written(tmp_path / "weights", content, protocol)
    # Before protocol 3 even bytes are a call, and names are Python 2's.
    refusal = f"asks for {asked if protocol > 2 else ''}"
    if place == "inside an array":
        refusal += "|holds an array of the type O"
    with pytest.raises(UnsafePickleError, match=rf"weights: the pickle ({refusal})"):
        read_pdparams(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("module", ["numpy", "numpy.core.multiarray", "numpy.ndarray"])
@pytest.mark.parametrize("name", ["f2py", "load", "tofile", "dtype.type", "ndarray.tofile"])
def test_other_names_of_numpy_are_refused_too(tmp_path: Path, module: str, name: str) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"\x80\x04" + b"c" + f"{module}\n{name}\n".encode() + b".")
    with pytest.raises(UnsafePickleError, match="expected named arrays only"):
        read_pdparams(path)


@pytest.mark.parametrize("kept", [0, 1, 2, 3, 40, 1000, 100_000, 400_000, -1000, -2, -1])
def test_a_truncated_pickle_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "model_state.pdparams"
    path.write_bytes(EXAMPLE.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"model_state\.pdparams is truncated or no"):
        read_pdparams(path)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 700), st.integers(0, 255))
def test_a_changed_byte_gives_arrays_or_a_checkpoint_error(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int
) -> None:
    content = bytearray(pickle.dumps({"w": np.ones(3, np.float32), "v": {"a": "b"}}, 4))
    content[place % len(content)] = value
    path = tmp_path_factory.mktemp("changed") / "weights"
    path.write_bytes(content)
    try:
        found = read_pdparams(path)
    except CheckpointError as error:
        assert str(path) in str(error)  # noqa: PT017 (some bytes change a value alone)
    else:
        assert all(array.dtype == np.float32 for array in found.values())


@pytest.mark.parametrize("content", [[1, 2], "text", None, np.ones(2, np.float32)])
def test_something_else_than_named_arrays_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(CheckpointError, match="expected named tensors"):
        read_pdparams(written(tmp_path / "weights", content))
