"""Measure one subject under all loads of a scenario."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from ernie_triton.errors import AnalyzerError, ScenarioError
from ernie_triton.perf.analyzer.generator import Windows
from ernie_triton.perf.analyzer.texts import TextRow, text_rows
from ernie_triton.perf.results import CONCURRENCY, Measurement, RequestLoad
from ernie_triton.perf.running.answers import SCORE_TOLERANCES, comparison_of
from ernie_triton.perf.running.checker import Check, SoloAnswer
from ernie_triton.perf.running.measurement import Procedure, Stream, measure_streams, warm_up_model
from ernie_triton.perf.running.scenario import LoadSpec, Scenario
from ernie_triton.perf.running.target import ServedSubject, counted_tokens

_COUNTED_ROWS = 32


class Session:
    """The loads of one subject; later loads may depend on the rates of earlier ones."""

    def __init__(
        self,
        scenario: Scenario,
        target: ServedSubject,
        *,
        windows: Windows,
        still_serving: Callable[[], None],
        progress: Callable[[str], None],
    ) -> None:
        self._scenario = scenario
        self._target = target
        self._windows = windows
        self._still_serving = still_serving
        self._progress = progress
        self._highest: dict[tuple[int, str], float] = {}
        self._solos: dict[TextRow, SoloAnswer] = {}
        self._is_warm = False
        self.failures: list[str] = []

    def measurements(self, specs: Sequence[LoadSpec]) -> Iterator[Measurement]:
        """Yield each measurement when it is done; loads without figures go to `failures`.

        Raises:
            WrongAnswerError: an answer under load differs from its solo answer.
            ClientError: the server is away, or refuses a text without load.
            ServerError: the embedded server has ended.
        """
        for spec in specs:
            for load in spec.loads():
                self._check_batch(load)
                level = self._level(load)
                if level is None:
                    continue
                placed = dataclasses.replace(load, level=level)
                try:
                    yield from self._measured(placed, spec)
                except AnalyzerError as error:
                    self.failures.append(f"{self._name(placed)}: {error}")
                    self._progress(f"{self._name(placed)}: FAILED: {error}")

    def _measured(self, load: RequestLoad, spec: LoadSpec) -> Iterator[Measurement]:
        for streams in self._streams(load, separate=spec.separate):
            rows = [row for stream in streams for row in stream.rows]
            procedure = self._procedure(rows)
            if not self._is_warm:
                warm_up_model(procedure, streams[0], self._scenario.measuring.warm_up_s)
                self._is_warm = True
            self._progress(" and ".join(self._name(stream.load) for stream in streams))
            for found in measure_streams(procedure, streams):
                self._note(found)
                yield found

    def _streams(self, load: RequestLoad, *, separate: bool) -> Iterator[list[Stream]]:
        """Yield the streams to send at once: one mixed, or the first kind alone, then all apart."""
        spec = self._scenario.texts
        kinds = spec.chosen(load.texts.split("+") if load.texts else ())
        inputs = self._target.inputs
        if not separate or len(kinds) < 2:
            yield [Stream(load=load, rows=text_rows(spec, kinds, inputs))]
            return
        apart = [
            Stream(
                load=dataclasses.replace(
                    load,
                    texts=kind.name,
                    level=load.level * kind.share,
                    beside="+".join(other.name for other in kinds if other is not kind),
                ),
                rows=text_rows(spec, [kind], inputs),
            )
            for kind in kinds
        ]
        alone = dataclasses.replace(apart[0].load, beside="")
        yield [Stream(load=alone, rows=apart[0].rows)]
        yield apart

    def _procedure(self, rows: Sequence[TextRow]) -> Procedure:
        checking = self._scenario.checking
        precision = self._target.subject.precision
        # Evenly from all of them, so that each kind of texts is checked.
        checked = rows[:: max(1, len(rows) // checking.rows)][: checking.rows]
        for row in checked:
            if row not in self._solos:
                self._solos[row] = SoloAnswer(row=row, answer=self._target.ask(row))
        return Procedure(
            target=self._target,
            check=Check(
                solos=[self._solos[row] for row in checked],
                ask=self._target.ask,
                equal=comparison_of(self._target.task).equal,
                tolerance=checking.tolerance
                or SCORE_TOLERANCES.get(precision, SCORE_TOLERANCES[""]),
                per_second=checking.per_second,
            ),
            windows=self._windows,
            stability=self._scenario.stability,
            still_serving=self._still_serving,
        )

    def _level(self, load: RequestLoad) -> float | None:
        """Return the load's level; None, and a failure, where its maximum rate is unknown."""
        if not load.of_maximum:
            return load.level
        highest = self._highest.get((load.batch_size, load.texts))
        if highest is None:
            self.failures.append(f"{self._name(load)}: no closed loop gave a rate before")
            return None
        return load.of_maximum * highest

    def _note(self, found: Measurement) -> None:
        load = found.load
        if load.mode == CONCURRENCY:
            key = (load.batch_size, load.texts)
            self._highest[key] = max(self._highest.get(key, 0.0), found.qps)
        prefix = f"{load.texts}: " if load.beside else ""
        self._progress(f"  {prefix}{_figures_words(found)}")
        for reason in found.unstable:
            self._progress(f"  unstable: {reason}")

    def _check_batch(self, load: RequestLoad) -> None:
        most = self._target.max_batch_size
        if load.batch_size > most:
            raise ScenarioError(
                f"a load has batches of {load.batch_size}, but {self._target.subject.model} takes "
                f"requests of {most} rows; lower batch_size, or build with --max-batch-size"
            )

    def _name(self, load: RequestLoad) -> str:
        return f"{self._target.subject.name}, {load}"


def token_words(scenario: Scenario, target: ServedSubject) -> str:
    """Describe the kinds whose lengths the server's tokenizer counts otherwise; may be empty."""
    words = []
    for kind in scenario.texts.kinds:
        rows = text_rows(scenario.texts, [kind], target.inputs)[:_COUNTED_ROWS]
        counted = counted_tokens(target, rows)
        if counted is None:
            return ""
        wanted = sum(_tokens_of(row, len(target.inputs)) for row in rows) / len(rows)
        mean = sum(counted) / len(counted)
        if abs(mean - wanted) > 0.05:
            words.append(
                f"{kind.name}: the tokenizer of {target.subject.model} counts a mean of "
                f"{mean:.1f} tokens where {wanted:.1f} were wanted"
            )
    return "; ".join(words)


def _figures_words(measurement: Measurement) -> str:
    """Describe rate, latency and batches of the engine in one line."""
    latency = measurement.latency
    words = (
        f"{measurement.qps:,.1f} QPS, p50 {latency.p50_us / 1e3:.2f} ms, "
        f"p99 {latency.p99_us / 1e3:.2f} ms"
    )
    if "engine" in measurement.stages:
        words += f", engine batches of {measurement.stages['engine'].batch:.1f}"
    return f"{words}, {measurement.checked_answers} answers checked"


def _tokens_of(row: TextRow, inputs: int) -> int:
    """Count the tokens of a row; the first of two inputs stands beside each text of the second."""
    if inputs == 1:
        return len(row[0]) + 2
    return sum(len(row[0]) + len(text) + 3 for text in row[1:])
