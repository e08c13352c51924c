"""Prove an engine: keep a few texts with their answers, which other processors must give too."""

import numpy as np

from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.exactness import TOLERANCES, Exactness, output_rows
from ernie_triton.build.check.exported_reference import Reference
from ernie_triton.build.check.reference import batch_rows
from ernie_triton.engines import Engine
from ernie_triton.engines.proof import Proof
from ernie_triton.processor import instruction_sets
from ernie_triton.tasks import task_named

_MOST_ROWS = 16
_FEWEST_ROWS = 2
_NUMBERS = 1500
"""About so many outputs are kept: a file of some 20 kB."""


def prove_engine(
    engine: Engine, reference: Reference, batch: TokenBatch, exactness: Exactness, max_rows: int
) -> Proof:
    """The proof of an engine that was compared with its source.

    Rows of all lengths are kept, with the source's outputs and the same tolerance. INT8 has none:
    of it the engine's own outputs are kept. Half of its largest difference from the source is the
    limit, or BF16's tolerance. Measured on five sample models in INT8 of 255 steps, sums that
    saturate bring 1.2 to 2.6 times that difference; other kernels in another order up to 0.17.

    Args:
        engine: what was built.
        reference: the source.
        batch: sample texts.
        exactness: the result of the comparison.
        max_rows: most rows of one run.
    """
    found = output_rows(engine, batch, max_rows)
    numbers = sum(values.size for row in found for values in row.values()) / batch.rows
    count = min(batch.rows, max(_FEWEST_ROWS, min(_MOST_ROWS, int(_NUMBERS / numbers))))
    by_length = np.argsort(batch.lengths, kind="stable")
    places = by_length[np.linspace(0, batch.rows - 1, count).round().astype(np.int64)]
    rows = batch.select(places)
    if exactness.tolerance is not None:
        kept = [reference.outputs(row) for row in batch_rows(rows)]
    else:
        kept = [found[place] for place in places]
    join = np.concatenate if task_named(engine.settings.task).is_per_token else np.stack
    return Proof(
        instructions=instruction_sets(),
        settings=engine.settings,
        rows=rows,
        outputs={name: join([row[name] for row in kept]).astype(np.float32) for name in found[0]},
        limit=exactness.tolerance or max(TOLERANCES["bf16"], exactness.largest_difference / 2),
    )
