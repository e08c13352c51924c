"""Labelled texts as a model learns from them."""

from dataclasses import dataclass
from typing import Generic, TypeVar

Target = TypeVar("Target")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example(Generic[Target]):
    """One text or a pair, and what the model shall say of it."""

    texts: tuple[str, ...]
    target: Target
