"""One figure of one model under one load, for comparisons: perf_analyzer, once, and nothing else.

`ernie_triton.perf.running` measures what is reported: with checked answers, watched processes and limits of
stability. Here the same load generator takes the many short figures whose ratios are wanted.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from ernie_triton.client.transport import Connection, GrpcTransport
from ernie_triton.client.wire import Endpoint
from ernie_triton.errors import AnalyzerError
from ernie_triton.perf.analyzer import AnalyzerRun
from ernie_triton.perf.results import Load
from ernie_triton.perf.running.analyzer_output import AnalyzerFigures
from ernie_triton.perf.running.generator import LoadGenerator, Windows, options_for
from ernie_triton.perf.running.texts import Row

_POLL_S = 0.2
_FACTS_TIMEOUT_S = 30.0
_WINDOWS = 3
"""perf_analyzer's least."""
_NO_ANSWERS = "use a larger time window"
"""What perf_analyzer 2.51 says where nothing was answered within a window."""
_LONGER = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What to ask of whom.

    Attributes:
        url: the server's gRPC address.
        model: the ensemble.
        inputs: its inputs.
        rows: texts for them, sent in turn.
        seconds: how long a figure is taken over.
    """

    url: str
    model: str
    inputs: tuple[str, ...]
    rows: Sequence[Row]
    seconds: float

    def figures(self, load: Load) -> AnalyzerFigures:
        """Load the model and measure; longer where not one answer fell into a window.

        Raises:
            AnalyzerError: perf_analyzer failed.
        """
        try:
            return self._figures(load)
        except AnalyzerError as error:
            if _NO_ANSWERS not in str(error):
                raise
        return dataclasses.replace(self, seconds=_LONGER * self.seconds)._figures(load)

    def company(self, load: Load) -> LoadGenerator:
        """The same load as a generator of the caller's, to run beside another."""
        return LoadGenerator(self._run(load))

    def _figures(self, load: Load) -> AnalyzerFigures:
        with LoadGenerator(self._run(load)) as generator:
            while generator.is_running(_POLL_S):
                pass
            found = generator.outcome().figures
        if found is None:
            raise AnalyzerError(f"perf_analyzer gave no figures for {self.model}; measure longer")
        return found

    def _run(self, load: Load) -> AnalyzerRun:
        columns = {
            name: [row[place] for row in self.rows] for place, name in enumerate(self.inputs)
        }
        return AnalyzerRun(
            url=self.url,
            model=self.model,
            columns=columns,
            options=options_for(load, Windows(seconds=self.seconds / _WINDOWS)),
        )


def inputs_of(url: str, model: str) -> tuple[str, ...]:
    """The inputs that a model takes.

    Raises:
        ClientError: the server is away or does not have the model.
    """
    transport = GrpcTransport(Connection(endpoint=Endpoint(url=url, model=model)))
    try:
        return transport.facts(_FACTS_TIMEOUT_S).inputs
    finally:
        transport.close()
