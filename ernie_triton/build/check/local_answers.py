"""What a pipeline will answer, from its real parts in this process, as a transport of the clients.

The tokenizer, an engine and the task's decoder are those of the three stages, with the settings
that the stages will get; only the server between them is left out. The clients' own codecs and
scorers work on it unchanged, so a figure measured here is the one that `--evaluate` prints.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ernie_triton.arrays import Tensors
from ernie_triton.batch import join_rows, split_tokens
from ernie_triton.build import config
from ernie_triton.client.wire import InferRequest, ModelFacts, Reply, RequestedOutput
from ernie_triton.decoders import DECODERS, Decoder
from ernie_triton.decoders.labels import LABELS_FILE, LabelSettings
from ernie_triton.engines import Engine
from ernie_triton.errors import ErnieTritonError, RequestRefusedError
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.settings import StageSettings
from ernie_triton.tasks import WINDOW_TENSORS, task_named
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.windows import WindowEncoder, WindowRules, window_tensors


class PipelineParts:
    """The first and the last stage of a pipeline, for any engine between them."""

    def __init__(self, spec: PipelineSpec, sizes: config.ModelSizes, encoder: TextEncoder) -> None:
        """Make the stages' tokenizer and decoder with their settings.

        Args:
            spec: the pipeline.
            sizes: of its model.
            encoder: the tokenizer stage's.
        """
        self.spec = spec
        self.task = task_named(spec.task)
        self.sizes = sizes
        self.encoder = encoder
        self.texts = tuple(tensor.name for tensor in self.task.text_inputs(pair=spec.pair))
        rules = WindowRules(
            max_length=spec.max_length,
            overlap=spec.overlap,
            max_windows=spec.answering.max_windows,
        )
        self._windows = WindowEncoder(encoder, rules)
        settings = config.postprocess_settings(spec, self.task, sizes)
        self.thresholds = settings.thresholds if isinstance(settings, LabelSettings) else ()
        self.decoder = _decoder(settings, sizes.labels)

    def tokens(self, columns: Mapping[str, list[bytes]]) -> Tensors:
        """What the tokenizer stage makes of a request.

        Raises:
            TextError: it needs more windows than allowed.
        """
        texts = [[value.decode("utf-8") for value in columns[name]] for name in self.texts]
        if self.task.has_windows:
            *questions, covered = texts
            windows = self._windows.encode(covered, questions[0] if questions else None)
            return window_tensors(windows, self.encoder.pad_token_id)
        rows = self.encoder.encode(*texts)
        [tensors] = rows.by_request([len(texts[0])], self.encoder.pad_token_id)
        return tensors


class LocalAnswers:
    """A blocking transport of the clients whose answers come from an engine at hand."""

    def __init__(self, parts: PipelineParts, engine: Engine) -> None:
        """Put an engine between the stages."""
        self._parts = parts
        self._engine = engine

    def infer(self, request: InferRequest, timeout_s: float) -> Reply:  # noqa: ARG002
        """The answer to one request; it takes the time it takes.

        Raises:
            RequestRefusedError: a stage refuses the request.
        """
        try:
            answers = self._answers(request.columns)
        except ErnieTritonError as error:
            raise RequestRefusedError(str(error)) from error
        return {output.name: self._requested(output, answers) for output in request.outputs}

    def facts(self, timeout_s: float) -> ModelFacts:  # noqa: ARG002
        """What the ensemble's configuration will say."""
        parts = self._parts
        sizes = parts.sizes.by_name
        outputs = (*config.results(parts.spec), *parts.task.tokenizer_results)
        return ModelFacts(
            max_batch_size=parts.spec.batching.max_batch_size,
            inputs=parts.texts,
            outputs={tensor.name: tensor.resolved(sizes) for tensor in outputs},
        )

    def ready_models(self, timeout_s: float) -> tuple[str, ...]:  # noqa: ARG002
        """The ensemble's name."""
        return (self._parts.spec.name,)

    def pause(self, pause_s: float) -> None:
        """Nothing is worth waiting for."""

    def close(self) -> None:
        """Nothing is open."""

    def _answers(self, columns: Mapping[str, list[bytes]]) -> Tensors:
        parts = self._parts
        tokens = parts.tokens(columns)
        ids, types = tokens["input_ids"], tokens["token_type_ids"]
        batch = join_rows([(ids, types)], parts.encoder.pad_token_id)
        outputs: Tensors = self._engine.run(batch)
        if parts.task.is_per_token:
            [outputs] = split_tokens(outputs, batch.lengths, [(len(ids), ids.shape[1])])
        windows = [tensor.name for tensor in WINDOW_TENSORS] if parts.task.has_windows else []
        stage_inputs = {**outputs, **{name: tokens[name] for name in windows}}
        decoder = parts.decoder
        wanted = {name: stage_inputs[name] for name in decoder.inputs}
        [answers] = decoder.run([decoder.read(wanted)])
        known = {tensor.name: tokens[tensor.name] for tensor in parts.task.tokenizer_results}
        return {**answers, **known}

    def _requested(self, output: RequestedOutput, answers: Tensors) -> npt.NDArray[Any]:
        values = answers[output.name]
        if not output.class_count:
            return values
        return classification(values, self._parts.sizes.labels, output.class_count)


def classification(
    scores: npt.NDArray[Any], labels: tuple[str, ...], count: int
) -> npt.NDArray[np.object_]:
    """Triton's classification of scores [rows, labels]: `score:index:label`, the highest first."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    rows = [
        [f"{scores[row, index]:.6f}:{index}:{labels[index]}".encode() for index in indices]
        for row, indices in enumerate(order.tolist())
    ]
    return np.array(rows, np.object_)


def _decoder(settings: StageSettings, labels: tuple[str, ...]) -> Decoder:
    """The postprocess stage's decoder, which reads its labels from a folder once."""
    parameters = settings.to_parameters()
    with tempfile.TemporaryDirectory() as model:
        lines = "".join(f"{label}\n" for label in labels)
        (Path(model) / LABELS_FILE).write_text(lines, encoding="utf-8")
        return DECODERS[parameters["task"]](parameters, Path(model) / "1")
