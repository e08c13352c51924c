"""Every model runs its stage in Triton: a bad request is refused with its own error, alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ernie_triton.arrays import Array
from ernie_triton.decoders.labels import LabelSettings
from ernie_triton.settings import TokenizerSettings
from tests.backends import fake_triton
from tests.backends.calls import execute, initialized, refusal
from tests.backends.fake_triton import InferenceRequest, TritonError
from tests.engines.tiny_model import (
    LABELS,
    POSITIONS,
    VOCABULARY,
    engine_settings,
    random_model,
    write_tiny_engine,
)
from tests.stages.calls import texts

if TYPE_CHECKING:
    from ernie_triton.backends.triton_model import StageModel

LONG = "北京天的好吃" * 4


def tokenizer(folder: Path, vocab: Path, task: str = "seq_cls") -> StageModel:
    from ernie_triton.backends.tokenizer import TritonPythonModel

    (folder / "1" / "vocab.txt").write_bytes(vocab.read_bytes())
    settings = TokenizerSettings(
        task=task, pair=task == "qa", max_length=12, lower_case=True, overlap=4, max_windows=12
    )
    return initialized(TritonPythonModel(), settings.to_parameters(), folder)


def engine(folder: Path) -> StageModel:
    from ernie_triton.backends.engine import TritonPythonModel

    settings = engine_settings("onnxruntime")
    write_tiny_engine(random_model(), settings, folder / "1")
    return initialized(TritonPythonModel(), settings.to_parameters(), folder)


def postprocess(folder: Path, names: int = LABELS) -> StageModel:
    from ernie_triton.backends.postprocess import TritonPythonModel

    (folder / "labels.txt").write_text("".join(f"{n}\n" for n in range(names)), encoding="utf-8")
    settings = LabelSettings(task="seq_cls", labels=LABELS, thresholds=())
    return initialized(TritonPythonModel(), settings.to_parameters(), folder)


def ids(*rows: int) -> dict[str, Array]:
    """Rows of these lengths, padded to the longest."""
    made = np.zeros((len(rows), max(rows)), np.int32)
    for row, length in enumerate(rows):
        made[row, :length] = 1 + np.arange(length) % (VOCABULARY - 1)
    return {"input_ids": made}


def assert_refused_alone(
    model: StageModel, good: Mapping[str, Array], bad: Mapping[str, Array], message: str
) -> None:
    """Requests before and after a bad one are answered as they are alone."""
    [alone] = execute(model, [good])
    first, refused, last = execute(model, [good, bad, good])
    for response in (first, last):
        assert response.tensors().keys() == alone.tensors().keys()
        for name, values in alone.tensors().items():
            assert response.tensors()[name].dtype == values.dtype
            if values.dtype == np.float32:
                np.testing.assert_allclose(response.tensors()[name], values, atol=1e-5)
            else:
                np.testing.assert_array_equal(response.tensors()[name], values)
    code, found = refusal(refused)
    assert code == TritonError.INVALID_ARG
    assert re.search(message, found), found


def test_a_text_that_is_not_utf_8_spoils_its_own_request_alone(
    folder: Path, paddle_vocab: Path
) -> None:
    model = tokenizer(folder, paddle_vocab)
    bad = {"text": texts("好", b"\xff")}
    message = "^row 1 of the input 'text' is not UTF-8: byte 0xff at offset 0; send UTF-8 text$"
    assert_refused_alone(model, {"text": texts("也", "贵")}, bad, message)


def test_a_batch_of_bad_requests_alone_is_answered_too(folder: Path, paddle_vocab: Path) -> None:
    model = tokenizer(folder, paddle_vocab)
    codes = [refusal(one)[0] for one in execute(model, [{"text": texts(b"\xff")}] * 2)]
    assert codes == [TritonError.INVALID_ARG] * 2


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (LONG * 3, "needs 17 windows of 12 tokens; at most 12 are allowed"),
        (LONG * 100, "the request has 2,400 characters of text; expected at most 1,152"),
    ],
)
def test_a_request_of_too_many_windows_spoils_itself_alone(
    context: str, message: str, folder: Path, paddle_vocab: Path
) -> None:
    good, bad = (
        {"question": texts("不"), "context": texts(covered)} for covered in ("北京的", context)
    )
    assert_refused_alone(tokenizer(folder, paddle_vocab, "qa"), good, bad, message)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (VOCABULARY, rf"input_ids: found \d+ to {VOCABULARY}; expected 0 to 59$"),
        (-1, r"input_ids: found -1 to \d+; expected 0 to 59$"),
    ],
)
def test_a_value_out_of_range_spoils_its_own_request_alone(
    bad: int, message: str, folder: Path
) -> None:
    request = ids(6, 4)
    request["input_ids"][0, 0] = bad
    assert_refused_alone(engine(folder), ids(8, 2), request, message)


@pytest.mark.parametrize("width", [0, 1, POSITIONS + 1])
def test_a_row_of_too_few_or_too_many_tokens_spoils_its_own_request_alone(
    width: int, folder: Path
) -> None:
    message = f"the tokens of a row: found {width} to {width}; expected 2 to 40$"
    assert_refused_alone(engine(folder), ids(3), ids(width), message)


def test_each_request_at_fault_is_told_its_own_fault(folder: Path) -> None:
    unknown, empty = ids(6), ids(4, 3)
    unknown["input_ids"][0, 1] = VOCABULARY + 7
    empty["input_ids"][:] = 0
    first, good, second = execute(engine(folder), [unknown, ids(9), empty])
    assert good.error() is None
    assert refusal(first)[1].endswith("to 67; expected 0 to 59")
    assert refusal(second)[1] == "the tokens of a row: found 0 to 0; expected 2 to 40"


def test_a_long_request_is_sent_after_its_batch_and_before_the_model_goes(folder: Path) -> None:
    model = engine(folder)
    batch = [InferenceRequest(ids(*rows)) for rows in ([5], [40] * 30, [7])]
    assert [response is None for response in model.execute(batch)] == [False, True, False]
    model.finalize()
    sent = batch[1].get_response_sender().sent.get_nowait()
    assert sent.tensors()["logits"].shape == (30, LABELS)


def test_logits_of_another_count_spoil_their_own_request_alone(folder: Path) -> None:
    good, bad = ({"logits": np.zeros((1, count), np.float32)} for count in (LABELS, LABELS + 1))
    message = "the engine returns 4 scores but there are 3 label names"
    assert_refused_alone(postprocess(folder), good, bad, message)


def test_files_that_do_not_fit_fail_the_loading_with_the_reason(folder: Path) -> None:
    from ernie_triton.backends.engine import TritonPythonModel

    with pytest.raises(fake_triton.TritonModelException, match=r"1/model\.xml is missing"):
        initialized(TritonPythonModel(), engine_settings().to_parameters(), folder)
    message = "the engine returns 3 scores but there are 2 label names"
    with pytest.raises(fake_triton.TritonModelException, match=message):
        postprocess(folder, names=2)


@pytest.mark.parametrize("part", ["tokenizer", "engine", "postprocess", "joined"])
def test_parameters_of_another_version_fail_the_loading(part: str, folder: Path) -> None:
    from importlib import import_module

    model: Any = import_module(f"ernie_triton.backends.{part}").TritonPythonModel()
    prefix = "tokenizer." if part == "joined" else ""
    with pytest.raises(fake_triton.TritonModelException, match="rebuild the pipeline"):
        initialized(model, {f"{prefix}task": "seq_cls"}, folder)


def test_requests_for_tokens_alone_are_answered_beside_the_others(
    folder: Path, paddle_vocab: Path
) -> None:
    model = tokenizer(folder, paddle_vocab)
    good, bad = {"text": texts("北京")}, {"text": texts(b"\xff")}
    wanted = [(good, ["token_count"]), (good, ["all"]), (bad, ["tokenization"]), (bad, ["all"])]
    found = model.execute([InferenceRequest(*one) for one in wanted])
    assert found[0].tensors()["token_count"].tolist() == [[4]]
    assert found[1].tensors()["input_ids"].shape == (1, 4)
    assert {refusal(one)[0] for one in found[2:]} == {TritonError.INVALID_ARG}
