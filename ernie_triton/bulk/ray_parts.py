"""Parts on the machines of a Ray cluster. The only module that knows Ray.

Ray starts a process again that ended, and gives its part to another meanwhile.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from ernie_triton.bulk.file_parts import FilePart
from ernie_triton.bulk.part_worker import PartOutcome, PartWorker
from ernie_triton.errors import MissingExtraError, ServerError

_OBJECT_STORE_BYTES = 100 << 20
"""Of a cluster of our own: texts and results do not pass through it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RayRun:
    """A run's processes.

    Attributes:
        task: the command's.
        found: its arguments, with absolute paths.
        address: of a cluster; empty for one of our own, on this machine, for this run alone.
        workers: processes; None for one on each core, or on each machine where servers answer.
    """

    task: str
    found: argparse.Namespace
    address: str
    workers: int | None


def answered_on_ray(run: RayRun, parts: Sequence[FilePart]) -> Iterator[PartOutcome]:
    """The outcomes of all parts, in the order in which they end.

    Raises:
        MissingExtraError: Ray is not installed.
        ServerError: no cluster answers at the address.
    """
    ray = _ray()
    _connect(ray, run.address)
    try:
        yield from _outcomes(ray, run, parts)
    finally:
        ray.shutdown()


def _ray() -> ModuleType:
    # Ray reports its use to its makers where nobody says otherwise, and logs each step.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        ray = import_module("ray")
        import_module("ray.data")
        logging.getLogger("ray.data").setLevel(logging.ERROR)
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "ray", "`batch`") from error
    return ray


def _connect(ray: ModuleType, address: str) -> None:
    own = {"include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES}
    try:
        ray.init(
            address=address or "local",
            logging_level=logging.ERROR,
            log_to_driver=False,
            **({} if address else own),
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ServerError(
            f"no Ray cluster at {address or 'this machine'}: {error}; name one that runs, as "
            f"HOST:PORT, or leave --ray-address out"
        ) from error


def _outcomes(ray: ModuleType, run: RayRun, parts: Sequence[FilePart]) -> Iterator[PartOutcome]:
    cores = int(ray.cluster_resources().get("CPU", 1))
    alone = run.found.repository is not None
    machines = sum(node["Alive"] for node in ray.nodes())
    workers = min(run.workers or (cores if alone else machines), len(parts))
    cores_of_one = max(cores // workers, 1) if alone else 1
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    rows = ray.data.from_items(
        [dataclasses.asdict(part) for part in parts], override_num_blocks=len(parts)
    )
    answered = rows.map(
        _RayWorker,
        fn_constructor_args=(run.task, run.found, cores_of_one if alone else 0),
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=cores_of_one,
    )
    for row in answered.iter_rows():
        yield PartOutcome(**row)


class _RayWorker:
    """A `PartWorker` over Ray's rows, which are dicts."""

    def __init__(self, task: str, found: argparse.Namespace, threads: int) -> None:
        self._worker = PartWorker(task, found, threads)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return dataclasses.asdict(self._worker(FilePart(**row)))
