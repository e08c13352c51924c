"""A checkpoint's arrays by name: one prefix taken off, used ones ticked off, the rest named."""

import re
from collections.abc import Iterable, Mapping

from ernie_triton.arrays import Float32
from ernie_triton.build.load.families import BASES
from ernie_triton.build.load.weights import NameScheme, modern_name
from ernie_triton.build.model.encoder import Linear, Norm
from ernie_triton.errors import CheckpointError

WORD_ARRAY = "embeddings.word_embeddings.weight"
_LISTED = 4
# The encoder of UIE was named so by PaddleNLP before 2.4, and still is by its ports to torch.
_UIE_BASE, _UIE_ARRAY = "encoder.", "linear_start.weight"
# Buffers, and heads of pre-training that fine-tuned checkpoints sometimes keep.
_UNUSED = re.compile(
    r"(^|\.)(position_ids|token_type_ids)$"
    r"|^(cls|lm_head|ernie\.lm|generator_\w+|discriminator_\w+|bias_mts)\."
    r"|^(vocab_transform|vocab_layer_norm|vocab_projector|predictions|sop_classifier)\."
    r"|(^|\.)fit_denses?\."  # to a teacher's width, in TinyBERT's training alone
    r"|^generator_lm_head_bias$"
)
_ADAPTER = re.compile(r"(^|\.)(lora_\w+|base_layer|modules_to_save)(\.|$)")
MERGE_ADAPTER = (
    "merge the adapter into its base model first: with peft, "
    "AutoPeftModelForSequenceClassification.from_pretrained(folder).merge_and_unload()"
    ".save_pretrained(new_folder), or with PaddleNLP, model.merge() and model.save_pretrained"
)
"""Advice on an adapter that is not merged."""


def without_common_prefix(state: Mapping[str, Float32], where: str) -> dict[str, Float32]:
    """Return the arrays by their modern names, without a prefix that all of them share.

    `module.` of DataParallel, `model.` of Lightning and `_orig_mod.` of `torch.compile` are such
    prefixes; a family's own, such as `bert.`, stays.

    Raises:
        CheckpointError: there is not one table of word embeddings, arrays are of an adapter, or
            some have the prefix and some not.
    """
    named = {modern_name(name): array for name, array in state.items()}
    adapter = [name for name in named if _ADAPTER.search(name)]
    if adapter:
        raise CheckpointError(
            f"{where} has arrays of an adapter, such as {min(adapter)!r}; {MERGE_ADAPTER}"
        )
    tables = [name for name in named if name.endswith(WORD_ARRAY)]
    if len(tables) != 1:
        raise CheckpointError(
            f"{where} has {len(tables)} arrays named …{WORD_ARRAY}; expected one, as models of the "
            f"BERT family have; found {some_names(named)}"
        )
    before = tables[0].removesuffix(WORD_ARRAY)
    parts = before.removesuffix(".").split(".")
    outer = "".join(f"{part}." for part in (parts[:-1] if parts[-1] in BASES else parts) if part)
    own = outer.removesuffix(_UIE_BASE)
    if own != outer and f"{own}{_UIE_ARRAY}" in named:
        return {name.removeprefix(own).removeprefix(_UIE_BASE): a for name, a in named.items()}
    others = [name for name in named if not name.startswith(outer)]
    if others:
        raise CheckpointError(
            f"{where} is an own model: its encoder is named {outer!r}, which {some_names(others)} "
            f"do not share; expected one prefix of all arrays, or none; export the model to ONNX "
            f"and build from that file"
        )
    return {name.removeprefix(outer): array for name, array in named.items()}


def some_names(names: Iterable[str]) -> str:
    """Join the first few names of a list for a message, with the number of the rest."""
    ordered = sorted(names)
    more = len(ordered) - _LISTED
    shown = ", ".join(ordered[:_LISTED]) or "none"
    return f"{shown} and {more} more" if more > 0 else shown


class NamedState:
    """The arrays of one checkpoint, each to be used once or to be refused at the end."""

    def __init__(
        self, state: Mapping[str, Float32], scheme: NameScheme, epsilon: float, where: str
    ) -> None:
        """Take the arrays.

        Raises:
            CheckpointError: see `without_common_prefix`.
        """
        self._state = without_common_prefix(state, where)
        self._used: set[str] = set()
        self._scheme = scheme
        self._epsilon = epsilon
        self._where = where
        table = next(name for name in self._state if name.endswith(WORD_ARRAY))
        self.prefix = table.removesuffix(WORD_ARRAY)

    def has(self, name: str) -> bool:
        """Return whether there is an array of this full name."""
        return name in self._state

    def skip(self, *names: str) -> None:
        """Tick off arrays that the task does not need, present or not."""
        self._used.update(names)

    def skip_matching(self, pattern: str) -> None:
        """Tick off all arrays whose names begin with a pattern."""
        self._used.update(name for name in self._state if re.match(pattern, name))

    def count(self, pattern: str) -> int:
        """Count the arrays 0, 1, … of a pattern with `{}` for the number."""
        number = 0
        while pattern.format(number) in self._state:
            number += 1
        return number

    def left(self) -> list[str]:
        """Return the names of the arrays that nothing used and that have no known use elsewhere."""
        return sorted(name for name in set(self._state) - self._used if not _UNUSED.search(name))

    def array(self, name: str) -> Float32:
        """Take an array by its full name.

        Raises:
            CheckpointError: there is none.
        """
        if name not in self._state:
            raise CheckpointError(
                f"{self._where} has no array {name!r}; expected an encoder of the BERT family as "
                f"{self._scheme.framework} saves it"
            )
        self._used.add(name)
        return self._state[name]

    def linear(self, name: str) -> Linear:
        """Take a linear layer by its full name."""
        weight = self.array(f"{name}.weight")
        weight = weight.T if self._scheme.linear_is_transposed else weight
        return Linear(weight=weight, bias=self.array(f"{name}.bias"))

    def norm(self, name: str) -> Norm:
        """Take a normalisation by its full name."""
        scale, bias = self.array(f"{name}.weight"), self.array(f"{name}.bias")
        return Norm(scale=scale, bias=bias, epsilon=self._epsilon)
