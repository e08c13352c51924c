"""Faults of stages: their processes are killed or stand still."""

import contextlib
import os
import random
import signal

from ernie_triton.perf.chaos.faults import StruckPipeline


class KilledStage:
    """A stage's process is killed."""

    name = "stage killed"
    hurts = True

    def strike(self, target: StruckPipeline, chance: random.Random) -> str:
        """Send SIGKILL to one of the pipeline's stages."""
        return _signalled(target, chance, signal.SIGKILL)


class HungStage:
    """A stage's process stands still."""

    name = "stage hung"
    hurts = True

    def strike(self, target: StruckPipeline, chance: random.Random) -> str:
        """Send SIGSTOP to one of the pipeline's stages."""
        return _signalled(target, chance, signal.SIGSTOP)


def _signalled(target: StruckPipeline, chance: random.Random, number: signal.Signals) -> str:
    stages = target.stages()
    if not stages:
        return "no stage runs in a process of its own"
    pid, name = chance.choice(stages)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    return f"{number.name} to {name}"
