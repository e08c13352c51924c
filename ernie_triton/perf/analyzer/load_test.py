"""Take one short figure of a model with perf_analyzer alone.

`ernie_triton.perf.running` takes the figures that are reported: it checks answers, watches the
machine and applies limits of stability. A load test takes the many short figures of a comparison.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from ernie_triton.client.transport import Connection, GrpcTransport
from ernie_triton.client.wire import Endpoint
from ernie_triton.errors import AnalyzerError
from ernie_triton.perf.analyzer.generator import (
    AnalyzerLapseError,
    LoadGenerator,
    Windows,
    options_for,
)
from ernie_triton.perf.analyzer.output import AnalyzerFigures
from ernie_triton.perf.analyzer.program import AnalyzerRun
from ernie_triton.perf.analyzer.texts import TextRow, input_columns
from ernie_triton.perf.results import CONCURRENCY, RequestLoad

BUSY = RequestLoad(mode=CONCURRENCY, level=32.0)
IDLE = RequestLoad(mode=CONCURRENCY, level=1.0)
_POLL_S = 0.2
_FACTS_TIMEOUT_S = 30.0
_WINDOWS = 3
"""perf_analyzer's least."""
_NO_ANSWERS = "use a larger time window"
"""Part of perf_analyzer 2.51's message when a window has no answers."""
_LONGER = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTest:
    """A model to load, and the texts to send.

    Attributes:
        url: the server's gRPC address.
        model: the ensemble.
        inputs: its inputs.
        rows: texts for the inputs, sent in turn.
        seconds: duration of a figure.
    """

    url: str
    model: str
    inputs: tuple[str, ...]
    rows: Sequence[TextRow]
    seconds: float

    def figures(self, load: RequestLoad) -> AnalyzerFigures:
        """Measure under a load; measure for longer if no answer arrived within a window.

        A failure for a reason of perf_analyzer's own is tried once more.

        Raises:
            AnalyzerError: perf_analyzer failed.
        """
        try:
            return self._figures(load)
        except AnalyzerLapseError:
            return self._figures(load)
        except AnalyzerError as error:
            if _NO_ANSWERS not in str(error):
                raise
        return dataclasses.replace(self, seconds=_LONGER * self.seconds)._figures(load)

    def background(self, load: RequestLoad) -> LoadGenerator:
        """Return a generator that sends this load beside another one."""
        return LoadGenerator(self._run(load))

    def _figures(self, load: RequestLoad) -> AnalyzerFigures:
        with LoadGenerator(self._run(load)) as generator:
            while generator.is_running(_POLL_S):
                pass
            found = generator.outcome().figures
        if found is None:
            raise AnalyzerError(f"perf_analyzer gave no figures for {self.model}; measure longer")
        return found

    def _run(self, load: RequestLoad) -> AnalyzerRun:
        return AnalyzerRun(
            url=self.url,
            model=self.model,
            columns=input_columns(self.rows, self.inputs),
            options=options_for(load, Windows(seconds=self.seconds / _WINDOWS)),
        )


def inputs_of(url: str, model: str, timeout_s: float = _FACTS_TIMEOUT_S) -> tuple[str, ...]:
    """Ask the server for a model's inputs.

    Raises:
        ClientError: the server is away or does not have the model.
    """
    transport = GrpcTransport(Connection(endpoint=Endpoint(url=url, model=model)))
    try:
        return transport.facts(timeout_s).inputs
    finally:
        transport.close()
