"""Each stage answers every request of a batch for itself: rows where it can, else its own error."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

from ernie_triton.errors import TextError
from ernie_triton.pipeline import PostprocessSettings, StageSettings, TokenizerSettings
from ernie_triton.tasks import LENGTHS, SEQ_CLS, TOKEN_TENSORS, TensorSpec
from tests.ernie_triton import fake_triton
from tests.ernie_triton.fake_triton import InferenceRequest, InferenceResponse, TritonError
from tests.ernie_triton.original_tokenizer import OriginalTokenizer
from tests.ernie_triton.tiny_model import (
    LABELS,
    POSITIONS,
    VOCABULARY,
    engine_settings,
    expected_logits,
    random_batch,
    random_model,
    rows_of,
    write_tiny_engine,
)

if TYPE_CHECKING:
    from ernie_triton.backends.stage import Stage

Array = npt.NDArray[Any]
MAX_LENGTH = 12
NAMES = ("体育", "财经", "news_world")


@pytest.fixture(autouse=True)
def triton(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Triton's module in place while the stages are imported and used."""
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", fake_triton.as_module())
    monkeypatch.setattr(fake_triton.Logger, "errors", [])
    yield
    for name in [name for name in sys.modules if name.startswith("ernie_triton.backends.")]:
        del sys.modules[name]


def opened(stage: Stage[Any], settings: StageSettings, model_folder: Path) -> Stage[Any]:
    """The stage as Triton initialises it for version 1."""
    parameters = {name: {"string_value": value} for name, value in settings.to_parameters().items()}
    stage.initialize(
        {
            "model_config": json.dumps({"parameters": parameters}),
            "model_repository": str(model_folder),
            "model_version": "1",
        }
    )
    return stage


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "1").mkdir()
    return tmp_path


def execute(stage: Stage[Any], requests: Sequence[Mapping[str, Array]]) -> list[InferenceResponse]:
    responses = stage.execute([InferenceRequest(tensors) for tensors in requests])
    assert len(responses) == len(requests)
    return responses


def refusal(response: InferenceResponse) -> tuple[int, str]:
    error = response.error()
    assert error is not None
    return error.code(), error.message()


def assert_as_declared(response: InferenceResponse, specs: Sequence[TensorSpec], rows: int) -> None:
    """Names, types and shapes of an answer are those of the contract."""
    tensors = response.tensors()
    assert set(tensors) == {spec.name for spec in specs}
    for spec in specs:
        array = tensors[spec.name]
        assert fake_triton.TYPE_NAMES[array.dtype.name] == spec.dtype
        dims = spec.resolved({"labels": LABELS})
        assert array.shape == (
            rows,
            *(
                found if dim == -1 else dim
                for dim, found in zip(dims, array.shape[1:], strict=True)
            ),
        )


def texts(*values: str | bytes) -> Array:
    encoded = [value.encode() if isinstance(value, str) else value for value in values]
    return np.array(encoded, dtype=np.object_)[:, None]


class TestTokenizer:
    SPECS = (*TOKEN_TENSORS, LENGTHS, *SEQ_CLS.tokenizer_results)

    @pytest.fixture
    def original(self, paddle_vocab: Path) -> OriginalTokenizer:
        return OriginalTokenizer(paddle_vocab, lower_case=True)

    @staticmethod
    def stage(folder: Path, vocab: Path, *, pair: bool = False) -> Stage[Any]:
        from ernie_triton.backends.tokenizer import TritonPythonModel

        (folder / "1" / "vocab.txt").write_bytes(vocab.read_bytes())
        settings = TokenizerSettings(
            task="seq_cls", pair=pair, max_length=MAX_LENGTH, lower_case=True
        )
        return opened(TritonPythonModel(), settings, folder)

    def assert_rows(
        self,
        response: InferenceResponse,
        rows: Sequence[tuple[str, str | None]],
        original: OriginalTokenizer,
    ) -> None:
        """The answer has the original's rows, padded to the longest of the request."""
        assert_as_declared(response, self.SPECS, len(rows))
        tensors = response.tensors()
        assert tensors["input_ids"].shape == tensors["token_type_ids"].shape
        expected = [original.row(text, pair, MAX_LENGTH) for text, pair in rows]
        longest = max(len(ids) for ids, _ in expected)
        pad = original.as_in_version_5.pad_token_id
        for row, (ids, types) in enumerate(expected):
            filler = longest - len(ids)
            assert tensors["input_ids"][row].tolist() == ids + [pad] * filler
            assert tensors["token_type_ids"][row].tolist() == types + [0] * filler
            assert tensors["lengths"][row].tolist() == [len(ids)]
            needed = sum(
                len(original.token_ids(text)) + 1 for text in rows[row] if text is not None
            )
            assert tensors["truncated"][row].tolist() == [needed + 1 > MAX_LENGTH]

    def test_requests_of_one_batch_get_their_own_rows(
        self, folder: Path, paddle_vocab: Path, original: OriginalTokenizer
    ) -> None:
        requests = [["北京"], ["", "好吃吗" * 9, "iphone 12"], [" "], ["美" * 10, "a"]]
        stage = self.stage(folder, paddle_vocab)
        responses = execute(stage, [{"text": texts(*values)} for values in requests])
        for values, response in zip(requests, responses, strict=True):
            self.assert_rows(response, [(value, None) for value in values], original)

    def test_pairs_keep_their_partners(
        self, folder: Path, paddle_vocab: Path, original: OriginalTokenizer
    ) -> None:
        requests = [[("北京", "天")], [("", ""), ("好吃吗" * 9, "也"), ("不", "贵" * 20)]]
        stage = self.stage(folder, paddle_vocab, pair=True)
        responses = execute(
            stage,
            [
                {
                    "text": texts(*(first for first, _ in pairs)),
                    "text_pair": texts(*(second for _, second in pairs)),
                }
                for pairs in requests
            ],
        )
        for pairs, response in zip(requests, responses, strict=True):
            self.assert_rows(response, pairs, original)

    @pytest.mark.parametrize(
        ("damaged", "place"),
        [
            (b"\xff", "byte 0xff at offset 0"),
            ("北京".encode("gb18030"), "byte 0xb1 at offset 0"),
            ("北".encode()[:2], "byte 0xe5 at offset 0"),
            (b"ab\xed\xa0\x80", "byte 0xed at offset 2"),
        ],
    )
    def test_a_text_that_is_not_utf_8_spoils_its_own_request_alone(
        self,
        damaged: bytes,
        place: str,
        folder: Path,
        paddle_vocab: Path,
        original: OriginalTokenizer,
    ) -> None:
        stage = self.stage(folder, paddle_vocab)
        good, bad, late = execute(
            stage,
            [{"text": texts("北京")}, {"text": texts("好", damaged)}, {"text": texts("也", "贵")}],
        )
        self.assert_rows(good, [("北京", None)], original)
        self.assert_rows(late, [("也", None), ("贵", None)], original)
        code, message = refusal(bad)
        assert code == TritonError.INVALID_ARG
        assert message == f"row 1 of the input 'text' is not UTF-8: {place}; send UTF-8 text"

    def test_a_batch_of_bad_requests_alone_is_answered_too(
        self, folder: Path, paddle_vocab: Path
    ) -> None:
        stage = self.stage(folder, paddle_vocab)
        codes = [refusal(one)[0] for one in execute(stage, [{"text": texts(b"\xff")}] * 2)]
        assert codes == [TritonError.INVALID_ARG] * 2

    def test_a_megabyte_is_cut_beside_a_short_text(
        self, folder: Path, paddle_vocab: Path, original: OriginalTokenizer
    ) -> None:
        stage = self.stage(folder, paddle_vocab)
        long, short = execute(stage, [{"text": texts("北京 " * 150_000)}, {"text": texts("好")}])
        self.assert_rows(long, [("北京 " * 20, None)], original)
        self.assert_rows(short, [("好", None)], original)

    def test_a_missing_vocabulary_fails_the_loading_with_its_path(self, folder: Path) -> None:
        from ernie_triton.backends.tokenizer import TritonPythonModel

        settings = TokenizerSettings(task="seq_cls", pair=False, max_length=8, lower_case=True)
        with pytest.raises(fake_triton.TritonModelException, match=r"1/vocab\.txt cannot be read"):
            opened(TritonPythonModel(), settings, folder)


class TestEngine:
    MODEL = random_model()

    @pytest.fixture(params=["packed", "padded"])
    def stage(self, request: pytest.FixtureRequest, folder: Path) -> Stage[Any]:
        from ernie_triton.backends.engine import TritonPythonModel

        settings = engine_settings("onnxruntime", request.param)
        write_tiny_engine(self.MODEL, settings, folder / "1")
        return opened(TritonPythonModel(), settings, folder)

    @staticmethod
    def request(lengths: Sequence[int], seed: int = 3) -> dict[str, Array]:
        """Random rows as the tokenizer sends them, padded to the longest."""
        rows = rows_of(random_batch(lengths, seed))
        ids, types = (np.zeros((len(rows), max(lengths)), np.int32) for _ in range(2))
        for row, (row_ids, row_types) in enumerate(rows):
            ids[row, : len(row_ids)], types[row, : len(row_types)] = row_ids, row_types
        column = np.array(lengths, np.int32)[:, None]
        return {"input_ids": ids, "token_type_ids": types, "lengths": column}

    def assert_logits(
        self, response: InferenceResponse, lengths: Sequence[int], seed: int = 3
    ) -> None:
        assert_as_declared(response, SEQ_CLS.engine_outputs, len(lengths))
        expected = expected_logits(self.MODEL, random_batch(lengths, seed))
        np.testing.assert_allclose(response.tensors()["logits"], expected, atol=1e-5)

    def test_requests_of_any_lengths_get_their_own_logits(self, stage: Stage[Any]) -> None:
        requests = [[5], [2, POSITIONS, 9], [POSITIONS], [3, 3]]
        responses = execute(
            stage, [self.request(lengths, seed) for seed, lengths in enumerate(requests)]
        )
        for seed, (lengths, response) in enumerate(zip(requests, responses, strict=True)):
            self.assert_logits(response, lengths, seed)

    @pytest.mark.parametrize(
        ("tensor", "value", "message"),
        [
            ("input_ids", VOCABULARY, f"input_ids has values from .* to {VOCABULARY}; expected 0"),
            (
                "input_ids",
                -1,
                f"input_ids has values from -1 to .*; expected 0 to {VOCABULARY - 1}",
            ),
            ("input_ids", 2**31 - 1, "input_ids has values"),
            ("token_type_ids", 2, "token_type_ids has values from 0 to 2; expected 0 to 1"),
            ("token_type_ids", -1, "token_type_ids has values from -1"),
            ("lengths", 0, "lengths has values from 0 to 4; expected 2 to 6"),
            ("lengths", 1, "lengths has values from 1 to 4; expected 2 to 6"),
            ("lengths", 7, "lengths has values from 4 to 7; expected 2 to 6"),
            ("lengths", -(2**31), "lengths has values from -2147483648"),
        ],
    )
    def test_a_value_out_of_range_spoils_its_own_request_alone(
        self, tensor: str, value: int, message: str, stage: Stage[Any]
    ) -> None:
        bad = self.request([6, 4])
        bad[tensor][0, 0] = value
        first, refused, last = execute(stage, [self.request([3]), bad, self.request([8, 2])])
        self.assert_logits(first, [3])
        self.assert_logits(last, [8, 2])
        code, text = refusal(refused)
        assert code == TritonError.INVALID_ARG
        assert_matches(message, text)

    @pytest.mark.parametrize("width", [0, 1])
    def test_an_empty_row_never_reaches_the_engine(self, width: int, stage: Stage[Any]) -> None:
        empty = {
            "input_ids": np.ones((1, width), np.int32),
            "token_type_ids": np.zeros((1, width), np.int32),
            "lengths": np.array([[width]], np.int32),
        }
        good, refused = execute(stage, [self.request([3]), empty])
        self.assert_logits(good, [3])
        assert refusal(refused)[0] == TritonError.INVALID_ARG

    def test_rows_longer_than_the_model_takes_are_refused(self, stage: Stage[Any]) -> None:
        (refused,) = execute(stage, [self.request([POSITIONS + 1])])
        assert_matches(f"expected 2 to {POSITIONS}", refusal(refused)[1])

    def test_token_types_of_another_shape_are_refused(self, stage: Stage[Any]) -> None:
        request = self.request([6])
        request["token_type_ids"] = request["token_type_ids"][:, :5].copy()
        (refused,) = execute(stage, [request])
        assert_matches(
            r"token_type_ids has the shape \[1, 5\] but input_ids \[1, 6\]", refusal(refused)[1]
        )

    def test_what_stands_past_a_rows_length_does_not_matter(self, stage: Stage[Any]) -> None:
        request = self.request([9, 4])
        request["input_ids"][1, 4:] = 17
        (response,) = execute(stage, [request])
        self.assert_logits(response, [9, 4])

    def test_a_missing_engine_fails_the_loading_with_its_path(self, folder: Path) -> None:
        from ernie_triton.backends.engine import TritonPythonModel

        with pytest.raises(fake_triton.TritonModelException, match=r"1/model\.xml is missing"):
            opened(TritonPythonModel(), engine_settings(), folder)


class TestPostprocess:
    SETTINGS = PostprocessSettings(task="seq_cls", labels=LABELS)

    def stage(self, folder: Path, names: Sequence[str] = NAMES) -> Stage[Any]:
        from ernie_triton.backends.postprocess import TritonPythonModel

        content = "".join(f"{name}\n" for name in names)
        (folder / "labels.txt").write_text(content, encoding="utf-8")
        return opened(TritonPythonModel(), self.SETTINGS, folder)

    def test_requests_of_one_batch_get_their_own_answers(self, folder: Path) -> None:
        # Logarithms of weights that sum to 8, so that probabilities can be read off.
        requests = [[[5, 2, 1]], [[1, 1, 6], [2, 4, 2]], [[7, 0.5, 0.5]]]
        stage = self.stage(folder)
        logits = [np.log(np.array(rows, np.float32)) for rows in requests]
        responses = execute(stage, [{"logits": values} for values in logits])
        for weights, response in zip(requests, responses, strict=True):
            assert_as_declared(response, SEQ_CLS.results, len(weights))
            answer = response.tensors()
            np.testing.assert_allclose(answer["scores"], np.array(weights) / 8, rtol=1e-5)
            best = [row.index(max(row)) for row in weights]
            assert answer["label"].tolist() == [[label] for label in best]
            assert answer["label_name"].tolist() == [[NAMES[label].encode()] for label in best]
            np.testing.assert_allclose(
                answer["confidence"], [[max(row) / 8] for row in weights], rtol=1e-5
            )

    def test_logits_of_another_count_spoil_their_own_request_alone(self, folder: Path) -> None:
        good, bad = (np.zeros((1, labels), np.float32) for labels in (LABELS, LABELS + 1))
        first, refused = execute(self.stage(folder), [{"logits": good}, {"logits": bad}])
        assert_as_declared(first, SEQ_CLS.results, 1)
        code, message = refusal(refused)
        assert code == TritonError.INVALID_ARG
        assert_matches("the engine returns 4 scores but there are 3 label names", message)

    def test_names_of_another_count_fail_the_loading(self, folder: Path) -> None:
        message = "the engine returns 3 scores but there are 2 label names"
        with pytest.raises(fake_triton.TritonModelException, match=message):
            self.stage(folder, NAMES[:2])

    def test_parameters_of_another_version_fail_the_loading(self, folder: Path) -> None:
        from ernie_triton.backends.postprocess import TritonPythonModel

        config = {"parameters": {"task": {"string_value": "seq_cls"}}}
        arguments = {
            "model_config": json.dumps(config),
            "model_repository": str(folder),
            "model_version": "1",
        }
        with pytest.raises(fake_triton.TritonModelException, match="rebuild the pipeline"):
            TritonPythonModel().initialize(arguments)


class TestRun:
    """What every stage does when its `run` fails, shown on one that adds numbers."""

    @staticmethod
    def stage(runs: list[int]) -> Stage[int]:
        from ernie_triton.backends.stage import Stage, Tensors

        class Adder(Stage[int]):
            inputs = ("number",)

            def open(self, parameters: Mapping[str, str], folder: Path) -> None:
                raise NotImplementedError

            def read(self, tensors: Tensors) -> int:
                return int(tensors["number"][0, 0])

            def run(self, items: Sequence[int]) -> list[Tensors]:
                runs.append(len(items))
                if 13 in items:
                    raise ZeroDivisionError("thirteen")
                if 14 in items:
                    raise TextError("fourteen is refused")
                return [{"sum": np.array([[item + 1]], np.int64)} for item in items]

        return Adder()

    @staticmethod
    def requests(*numbers: int) -> list[Mapping[str, Array]]:
        return [{"number": np.array([[number]], np.int64)} for number in numbers]

    def test_good_requests_take_one_run(self) -> None:
        runs: list[int] = []
        responses = execute(self.stage(runs), self.requests(1, 2, 3))
        assert [one.tensors()["sum"].tolist() for one in responses] == [[[2]], [[3]], [[4]]]
        assert runs == [3]

    def test_a_run_that_fails_for_one_request_leaves_the_others_their_answers(self) -> None:
        runs: list[int] = []
        first, thirteen, fourteen, last = execute(self.stage(runs), self.requests(1, 13, 14, 4))
        assert (first.tensors()["sum"], last.tensors()["sum"]) == (2, 5)
        assert refusal(thirteen) == (TritonError.INTERNAL, "thirteen")
        assert refusal(fourteen) == (TritonError.INVALID_ARG, "fourteen is refused")
        assert runs == [4, 1, 1, 1, 1]

    def test_what_is_no_fault_of_the_request_is_logged(self) -> None:
        execute(self.stage([]), self.requests(13, 14))
        (logged,) = fake_triton.Logger.errors
        assert logged.endswith("ZeroDivisionError('thirteen')")

    def test_no_requests_make_no_run(self) -> None:
        runs: list[int] = []
        assert execute(self.stage(runs), []) == []
        assert runs == []


def assert_matches(pattern: str, text: str) -> None:
    assert re.search(pattern, text), text
