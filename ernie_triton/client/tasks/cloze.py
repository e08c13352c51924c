"""Cloze from Python: texts with `[MASK]` in, the likeliest tokens for each out.

A task client over `client` and `core`; the command line is `cli.cloze`.

    with ClozeClient("localhost:8001") as client:
        [found] = client.fill(["今天天[MASK]晴朗。"], candidates=["气", "空"])
        print(found.best, found.masks[0][0].probability)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ernie_triton.client.client import (
    AsyncioClient,
    BlockingClient,
    rows_from_columns,
    run_blocking,
)
from ernie_triton.client.core import Caller
from ernie_triton.client.wire import Reply, RequestedOutput
from ernie_triton.errors import ContractError
from ernie_triton.tasks import CLOZE, Task

_OUTPUTS = (CLOZE.results[0].name, "truncated")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledToken:
    """One token in the place of a mask.

    Attributes:
        token: as the vocabulary spells it: `##ing` continues a word.
        token_id: its number there.
        probability: among all tokens of the vocabulary.
    """

    token: str
    token_id: int
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledText:
    """The tokens for each mask of a text, in the order of the masks, the likeliest first.

    With `truncated` the model saw only the text's beginning, with all masks.
    """

    masks: tuple[tuple[FilledToken, ...], ...]
    truncated: bool

    @property
    def best(self) -> tuple[str, ...]:
        """The likeliest token for each mask."""
        return tuple(tokens[0].token for tokens in self.masks)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClozeCodec:
    """The outputs of cloze, and their reading."""

    @property
    def task(self) -> Task:
        """Cloze."""
        return CLOZE

    def requested_outputs(self) -> tuple[RequestedOutput, ...]:
        """The outputs to ask for."""
        return tuple(RequestedOutput(name=name) for name in _OUTPUTS)

    def results_from_reply(self, reply: Reply) -> list[FilledText]:
        """The tokens for each row of the request."""
        cells, cut = (reply[name].ravel().tolist() for name in _OUTPUTS)
        return [
            FilledText(masks=_masks_from_json(cell), truncated=truncated)
            for cell, truncated in zip(cells, cut, strict=True)
        ]


class ClozeClient(BlockingClient):
    """Fills in the masks of texts on a Triton server."""

    task = CLOZE

    def fill(
        self,
        texts: Sequence[str],
        *,
        top_k: int | None = None,
        candidates: Sequence[str] | None = None,
    ) -> list[FilledText]:
        """Find the likeliest tokens for each `[MASK]` of each text.

        Args:
            texts: each with at least one `[MASK]`.
            top_k: tokens for each mask: 5, or all candidates, by default.
            candidates: tokens to choose from; each must be one token of the vocabulary. Their
                probabilities are those among all tokens.

        Raises:
            TextError: a text cannot be sent as UTF-8.
            ClientError: there is no answer; the subclasses say why.
        """
        return run_blocking(_fill(self._caller, texts, top_k, candidates))


class AsyncClozeClient(AsyncioClient):
    """`ClozeClient` for asyncio; calls may run at once."""

    task = CLOZE

    async def fill(
        self,
        texts: Sequence[str],
        *,
        top_k: int | None = None,
        candidates: Sequence[str] | None = None,
    ) -> list[FilledText]:
        """Find the likeliest tokens for each `[MASK]`; see `ClozeClient.fill`."""
        return await _fill(self.caller, texts, top_k, candidates)


def cloze_parameters(top_k: int | None = None, candidates: Sequence[str] | None = None) -> str:
    """The second input of a row: what is asked of its text, as JSON."""
    given = {"top_k": top_k, "candidates": None if candidates is None else list(candidates)}
    said = {name: value for name, value in given.items() if value is not None}
    return json.dumps(said, ensure_ascii=False) if said else ""


async def _fill(
    caller: Caller, texts: Sequence[str], top_k: int | None, candidates: Sequence[str] | None
) -> list[FilledText]:
    asked = [cloze_parameters(top_k, candidates)] * len(texts)
    rows = rows_from_columns({"texts": texts, "parameters": asked})
    return await caller.results(rows, ClozeCodec())


def _masks_from_json(cell: bytes) -> tuple[tuple[FilledToken, ...], ...]:
    try:
        return tuple(
            tuple(
                FilledToken(
                    token=str(one["token"]),
                    token_id=int(one["token_id"]),
                    probability=float(one["probability"]),
                )
                for one in tokens
            )
            for tokens in json.loads(cell)
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ContractError(
            f"the model returned fills {cell[:80]!r}, expected lists of tokens as in the wire "
            f"contract ({type(error).__name__}: {error}); name a model that this version built"
        ) from error
