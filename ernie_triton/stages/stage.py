"""The base of all stages: settings and files in, then batches of requests."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from ernie_triton.arrays import Tensors
from ernie_triton.stages.part_counts import PartCounts
from ernie_triton.stages.tokenization import Tokenization

StageOutput: TypeAlias = Tensors | Future[Tensors]
"""A request's tensors; a future where the request runs later than its batch."""

_Item = TypeVar("_Item")


class Stage(ABC, Generic[_Item]):
    """One stage of a pipeline.

    Attributes:
        inputs: names of the tensors that `read` is given.
        tokenization: shows tokens of texts; None where the stage takes none.
        part_counts: counts of its parts, where it is several in one.
    """

    inputs: tuple[str, ...]
    tokenization: Tokenization | None = None
    part_counts: PartCounts | None = None

    @classmethod
    @abstractmethod
    def open(cls, parameters: Mapping[str, str], folder: Path) -> "Stage[_Item]":
        """Make the stage from its configuration's parameters and its version's folder.

        Raises:
            ErnieTritonError: a parameter or a file is missing or wrong.
        """

    @abstractmethod
    def read(self, tensors: Tensors) -> _Item:
        """Check and take one request's tensors.

        Raises:
            ErnieTritonError: the request is refused with this message.
        """

    @abstractmethod
    def run(self, items: Sequence[_Item]) -> Sequence[StageOutput]:
        """Answer a batch of requests, in order."""

    def answer(self, tensors: Tensors) -> Tensors:
        """Answer one request alone, and wait until the answer is there."""
        [output] = self.run([self.read(tensors)])
        return output.result() if isinstance(output, Future) else output

    def token_counts(self) -> Sequence[int]:
        """Count the tokens of each request that ran last; empty where a stage sees none."""
        return ()

    def close(self) -> None:
        """Answer what is still to be answered; nothing comes after this."""
