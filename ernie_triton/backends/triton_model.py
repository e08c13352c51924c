"""A stage as a model of Triton's Python backend. The only module that knows Triton's Python API.

Each request is read by itself, so that a bad one gets its own error. The good ones run as one
batch, and each gets its own rows, some of them later.
"""

import gc
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import triton_python_backend_utils as pb_utils

from ernie_triton.arrays import Tensors
from ernie_triton.backends.file_pages import release_file_pages
from ernie_triton.backends.request_log import LoggedBatch, opened_log
from ernie_triton.errors import ErnieTritonError, NotFiniteError
from ernie_triton.request_counts import opened_counts
from ernie_triton.stages.opening import StageOpener
from ernie_triton.standstill import Standstill, end_process
from ernie_triton.tasks import TOKEN_COUNT, TOKENIZATION

_GARBAGE_THRESHOLD = 50_000
"""New objects between two looks for cycles; a stage makes hardly any, and a look takes time."""

_TOKEN_ANSWERS = {TOKENIZATION.name, TOKEN_COUNT.name}

_SETTLING_BATCHES = (8, 64, 512, 4096)
"""Batches after which file pages are released again. By then a runtime has repacked its weights,
some of them at a shape's first run, and has made kernels for most shapes."""


class StageModel:
    """Calls of Triton, passed on to a stage.

    Attributes:
        stage_type: opens the stage.
        has_engine: whether the stage runs an engine, whose files are released from memory again.
    """

    stage_type: ClassVar[StageOpener]
    has_engine: ClassVar[bool] = False

    @property
    def _part(self) -> str:
        """The stage's name in its pipeline: the last word of its module's name."""
        return type(self).__module__.rpartition(".")[2]

    def initialize(self, args: Mapping[str, str]) -> None:
        """Called once by Triton when the model is loaded."""
        config = json.loads(args["model_config"])
        parameters = {
            key: value["string_value"] for key, value in config.get("parameters", {}).items()
        }
        folder = Path(args["model_repository"]) / args["model_version"]
        self._model = args.get("model_name", "")
        try:
            self._log = opened_log(self._model, self._part, os.environ)
            self._counts = opened_counts(self._model, os.environ)
            self._stage = self.stage_type.open(parameters, folder)
        except ErnieTritonError as error:
            raise pb_utils.TritonModelException(str(error)) from error
        self._batches = 0
        self._standstill = Standstill()
        gc.collect()
        gc.freeze()
        gc.set_threshold(_GARBAGE_THRESHOLD)
        release_file_pages()

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Called by Triton with every batch of requests; answers each, whatever the others hold.

        None stands for an answer that is sent later.
        """
        if (shown := self._shown(requests)) is None:
            return self._executed(requests)
        others = iter(self._executed([one for one in requests if id(one) not in shown]))
        return [shown[id(one)] if id(one) in shown else next(others) for one in requests]

    def _executed(self, requests: Sequence[Any]) -> list[Any]:
        start = time.monotonic()
        self._end_if_given_up(start)
        if self._counts is not None:
            self._counts.took(len(requests))
        responses: list[Any] = [None] * len(requests)
        items: list[Any] = []
        places: list[int] = []
        given = [self._tensors(request) for request in requests]
        note = self._notes(requests, given)
        for place, tensors in enumerate(given):
            try:
                items.append(self._stage.read(tensors))
                places.append(place)
            except ErnieTritonError as error:
                responses[place] = self._fault(error)
                note(place, None, responses[place])
        for place, (answer, tokens) in zip(places, self._answers(items), strict=True):
            ended = partial(note, place, tokens)
            responses[place] = self._replied(answer, requests[place], ended)
        self._batches += 1
        if self.has_engine and self._batches in _SETTLING_BATCHES:
            release_file_pages()
        self._end_if_given_up(start)
        return responses

    def _shown(self, requests: Sequence[Any]) -> dict[int, Any] | None:
        """Answers to requests that ask for nothing but tokens, by object; None where none does."""
        if (tokens := self._stage.tokenization) is None:
            return None
        shown: dict[int, Any] = {}
        for request in requests:
            wanted = request.requested_output_names()
            if len(wanted) > len(_TOKEN_ANSWERS) or not _TOKEN_ANSWERS.issuperset(wanted):
                continue
            counts_alone = TOKENIZATION.name not in wanted
            try:
                answer = tokens.answer(self._tensors(request), counts_alone=counts_alone)
                shown[id(request)] = _response(answer)
            except Exception as error:
                shown[id(request)] = self._fault(error)
        return shown or None

    def finalize(self) -> None:
        """Called once by Triton before the model is unloaded."""
        self._stage.close()
        if self._log is not None:
            self._log.close()

    def _end_if_given_up(self, start: float) -> None:
        """End this process if it stood still since `start`: its requests may have been given up."""
        if still_s := self._standstill.seconds_since(start):
            end_process(self._model, still_s)

    def _tensors(self, request: Any) -> Tensors:  # noqa: ANN401
        return {
            name: pb_utils.get_input_tensor_by_name(request, name).as_numpy()
            for name in self._stage.inputs
        }

    def _notes(
        self, requests: Sequence[Any], given: Sequence[Tensors]
    ) -> Callable[[int, int | None, Any], None]:
        """Make the function that counts and logs a request by its place, tokens and response."""
        log, counts = self._log, self._counts
        if log is None and counts is None:
            return _no_note
        ids = [request.request_id() for request in requests] if log is not None else []
        batch = LoggedBatch(log, ids, given) if log is not None else None

        def note(place: int, tokens: int | None, response: Any) -> None:  # noqa: ANN401
            outcome, message = _ending(response)
            if counts is not None:
                counts.ended(outcome)
            if batch is not None:
                batch.ended(place, outcome, tokens, message)

        return note

    def _answers(self, items: Sequence[Any]) -> list[tuple[Any, int | None]]:
        """Triton's responses to a batch, or futures in their place, each with its tokens."""
        if not items:
            return []
        try:
            answers = [
                output if isinstance(output, Future) else _response(output)
                for output in self._stage.run(items)
            ]
        except Exception as error:
            if len(items) > 1:  # find the request at fault; the others keep their answers
                return [answer for item in items for answer in self._answers([item])]
            return [(self._fault(error), None)]
        tokens = self._stage.token_counts() if self._log is not None else ()
        return [*zip_longest(answers, tokens)]

    def _replied(self, answer: Any, request: Any, ended: Callable[[Any], None]) -> Any:  # noqa: ANN401
        """The response to return, or None where it is sent later; `ended` is told of either."""
        if not isinstance(answer, Future):
            ended(answer)
            return answer
        sender = request.get_response_sender()

        def send(done: Future[Tensors]) -> None:
            response = self._found(done)
            ended(response)
            sender.send(response, pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

        answer.add_done_callback(send)
        return None

    def _found(self, done: Future[Tensors]) -> Any:  # noqa: ANN401
        try:
            return _response(done.result())
        except Exception as error:
            return self._fault(error)

    def _fault(self, error: Exception) -> Any:  # noqa: ANN401
        """Make the refusal; errors that are no fault of the request go to the server's log too."""
        if not _is_the_request_s(error):
            pb_utils.Logger.log_error(f"{type(self).__module__}: {type(error).__name__}: {error}")
        return _refusal(error)


def _ending(response: Any) -> tuple[str, str]:  # noqa: ANN401
    """The end of a request, as the log and the counts name it, and its error's message."""
    error = response.error()
    if error is None:
        return "answered", ""
    refused = error.code() == pb_utils.TritonError.INVALID_ARG
    return "refused" if refused else "failed", error.message()


def _no_note(_place: int, _tokens: int | None, _response: object) -> None:
    """Log nothing."""


def _response(tensors: Tensors) -> Any:  # noqa: ANN401
    return pb_utils.InferenceResponse(
        [pb_utils.Tensor(name, np.ascontiguousarray(value)) for name, value in tensors.items()]
    )


def _refusal(error: Exception) -> Any:  # noqa: ANN401
    ours, theirs = pb_utils.TritonError.INTERNAL, pb_utils.TritonError.INVALID_ARG
    code = theirs if _is_the_request_s(error) else ours
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), code))


def _is_the_request_s(error: Exception) -> bool:
    return isinstance(error, ErnieTritonError) and not isinstance(error, NotFiniteError)
