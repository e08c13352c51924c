"""The tasks as data: inputs, engine outputs and results.

Configurations, stages and checks are derived from this table. A new task is an entry here, a
decoder, and a client command.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from ernie_triton.errors import PipelineError

LAYOUTS = ("packed", "padded")
PRECISIONS = ("fp32", "bf16", "fp16", "int8")
ENGINE_PRECISIONS: Mapping[str, tuple[str, ...]] = {
    "openvino": ("fp32", "bf16", "int8"),
    "onnxruntime": ("fp32", "fp16", "int8"),
    "tensorrt": ("fp32", "fp16", "int8"),
}
"""The precisions that each engine can compute in."""

ENGINES = tuple(ENGINE_PRECISIONS)
AUTO_ENGINE = "auto"
"""Stands for the engine on CPU that is fastest where the pipeline is built."""
CPU_ENGINES = ("openvino", "onnxruntime")
"""The engines that `AUTO_ENGINE` stands for."""
DEVICES = ("cpu", "gpu")
CALIBRATORS = ("minmax", "percentile", "entropy")
TOKEN_POOLINGS = ("cls", "max", "mean", "mean_sqrt_len", "weightedmean", "lasttoken")
"""Vectors of a text from its tokens' vectors; several joined by `+` are put side by side."""
POOLINGS = (*TOKEN_POOLINGS, "pooler")
SCORE_ACTIVATIONS = ("identity", "sigmoid")
"""Functions that a regression's score may go through."""
RANK_ACTIVATIONS = (*SCORE_ACTIVATIONS, "softmax")
"""Functions that a document's score may go through; the last one needs several labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """One tensor of a stage, per row of a batch.

    Attributes:
        name: as on the wire.
        dtype: Triton's name of the type, without `TYPE_`.
        dims: a number, -1 for any length, or the name of a size that the model decides: `labels`,
            `hidden`, `vocabulary`.
        has_label_names: clients may ask for its highest values by label name (Triton's
            classification extension).
    """

    name: str
    dtype: str
    dims: tuple[int | str, ...]
    has_label_names: bool = False

    def resolved(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The dims with every named size put in."""
        return tuple(sizes[dim] if isinstance(dim, str) else dim for dim in self.dims)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task of the wire contract.

    Attributes:
        name: as in pipelines and on command lines.
        default_model: the default name of its ensemble.
        head: the graph's last part: `sequence` (scores of a text), `choice` (one score of a text,
            against those of its alternatives), `token` (scores of each token), `span` (start and
            end scores of each token), `pointer` (the same, with a sigmoid of each score instead of
            a softmax over the tokens), `masked` (a score of every token of the vocabulary in the
            place of one token), `lexical` (a weight of each token), `token_vector` (a vector of
            each token) or `vector`.
        texts: names of the STRING inputs of single texts; empty where the task needs a pair.
        pair_texts: the same for pairs of texts; empty where the task has none.
        has_windows: long texts are covered by overlapping windows; otherwise they are cut.
        list_input: the last of `pair_texts` where it holds a list of texts for each row of a
            request; empty where every input holds one.
        fewest: least texts of that list.
        engine_outputs: outputs of the engine for each row.
        tokenizer_results: results of the tokenizer stage.
        results: results of the postprocess stage.
        optional_results: further results, for builds that ask for them.
        asks_again: an answer may need more than one run of the engine: the postprocess stage asks
            it again, as often as the answer needs.
    """

    name: str
    default_model: str
    head: str
    texts: tuple[str, ...]
    pair_texts: tuple[str, ...]
    has_windows: bool
    engine_outputs: tuple[TensorSpec, ...]
    tokenizer_results: tuple[TensorSpec, ...]
    results: tuple[TensorSpec, ...]
    optional_results: tuple[TensorSpec, ...] = ()
    list_input: str = ""
    fewest: int = 1
    asks_again: bool = False

    @property
    def is_per_token(self) -> bool:
        """True if the engine has outputs for each token instead of each text."""
        return self.head in ("token", "span", "pointer", "lexical", "token_vector")

    @property
    def is_retrieval(self) -> bool:
        """True if it gives vectors: queries and documents may have prompts of their own."""
        return self.head in ("vector", "lexical", "token_vector")

    @property
    def is_asked(self) -> bool:
        """True if its last input says what is asked, and is no text to the model.

        The last stage then makes tokens, or names them: it has the vocabulary too.
        """
        return self.asks_again or self.head == "masked"

    @property
    def has_rows_of_a_text(self) -> bool:
        """True if a text makes several rows: one for each of a list, or each place to fill in."""
        return bool(self.list_input) or self.head == "masked"

    @property
    def row_tensors(self) -> tuple[TensorSpec, ...]:
        """Tensors from the tokenizer to the postprocess stage, where a text makes several rows."""
        if self.head == "masked":
            return (QUERY_ROW, ASKED)
        if self.list_input:
            return (QUERY_ROW,)
        if self.head == "lexical":
            return (WEIGHTED_IDS,)
        if self.head == "token_vector":
            return (ROW_TOKENS,)
        if self.asks_again:
            return (ASKED,)
        return WINDOW_TENSORS if self.has_windows else ()

    def text_inputs(self, *, pair: bool) -> tuple[TensorSpec, ...]:
        """The ensemble's inputs.

        Raises:
            PipelineError: single texts, or pairs, are asked of a task that has none.
        """
        names = self.pair_texts if pair else self.texts
        if not names:
            wanted, other = ("pairs of", "single") if pair else ("single", "pairs of")
            raise PipelineError(f"the task {self.name} takes {other} texts; found {wanted} texts")
        return tuple(
            TensorSpec(name=name, dtype="STRING", dims=(-1 if name == self.list_input else 1,))
            for name in names
        )


_LOGITS = TensorSpec(name="logits", dtype="FP32", dims=("labels",))
TRUNCATED = TensorSpec(name="truncated", dtype="BOOL", dims=(1,))
_LABEL_RESULTS = (
    TensorSpec(name="label", dtype="INT64", dims=(1,)),
    TensorSpec(name="confidence", dtype="FP32", dims=(1,)),
    TensorSpec(name="label_name", dtype="STRING", dims=(1,)),
    TensorSpec(name="scores", dtype="FP32", dims=("labels",), has_label_names=True),
)

SEQ_CLS = Task(
    name="seq_cls",
    default_model="ernie_seqcls",
    head="sequence",
    texts=("text",),
    pair_texts=("text", "text_pair"),
    has_windows=False,
    engine_outputs=(_LOGITS,),
    tokenizer_results=(TRUNCATED,),
    results=_LABEL_RESULTS,
)

MULTI_LABEL = dataclasses.replace(
    SEQ_CLS,
    name="multi_label",
    default_model="ernie_multilabel",
    results=(*_LABEL_RESULTS, TensorSpec(name="selected", dtype="BOOL", dims=("labels",))),
)
"""Several labels a text: `scores` are sigmoids, `selected` says which reach their threshold."""

REGRESSION = dataclasses.replace(
    SEQ_CLS,
    name="regression",
    default_model="ernie_regression",
    results=(TensorSpec(name="score", dtype="FP32", dims=(1,)),),
)
"""One number a text or pair, as the model gives it: similarity, relevance."""

RERANK = dataclasses.replace(
    SEQ_CLS,
    name="rerank",
    default_model="ernie_rerank",
    texts=(),
    pair_texts=("query", "documents"),
    list_input="documents",
    tokenizer_results=(dataclasses.replace(TRUNCATED, dims=(-1,)),),
    results=(
        TensorSpec(name="scores", dtype="FP32", dims=(-1,)),
        TensorSpec(name="order", dtype="INT64", dims=(-1,)),
    ),
)
"""A score for each document of a query; `order` has the documents' places, best first."""

CHOICE = dataclasses.replace(
    RERANK,
    name="choice",
    default_model="ernie_choice",
    head="choice",
    pair_texts=("context", "question", "options"),
    list_input="options",
    fewest=2,
    engine_outputs=(TensorSpec(name="logits", dtype="FP32", dims=(1,)),),
    results=(
        TensorSpec(name="choice", dtype="INT64", dims=(1,)),
        TensorSpec(name="probabilities", dtype="FP32", dims=(-1,)),
        TensorSpec(name="scores", dtype="FP32", dims=(-1,)),
    ),
)
"""The best of several options as the answer to a question; `choice` is its place among them."""

TOKEN_CLS = Task(
    name="token_cls",
    default_model="ernie_tokencls",
    head="token",
    texts=("text",),
    pair_texts=(),
    has_windows=True,
    engine_outputs=(TensorSpec(name="logits", dtype="FP32", dims=(-1, "labels")),),
    tokenizer_results=(),
    results=(TensorSpec(name="OUTPUT", dtype="STRING", dims=(1,)),),
    optional_results=(TensorSpec(name="tokens", dtype="STRING", dims=(1,)),),
)

QA = Task(
    name="qa",
    default_model="ernie_qa",
    head="span",
    texts=(),
    pair_texts=("question", "context"),
    has_windows=True,
    engine_outputs=(
        TensorSpec(name="start_logits", dtype="FP32", dims=(-1,)),
        TensorSpec(name="end_logits", dtype="FP32", dims=(-1,)),
    ),
    tokenizer_results=(),
    results=(
        TensorSpec(name="answer", dtype="STRING", dims=(1,)),
        TensorSpec(name="score", dtype="FP32", dims=(1,)),
        TensorSpec(name="span", dtype="INT64", dims=(2,)),
        TensorSpec(name="n_best", dtype="STRING", dims=(1,)),
    ),
)

EMBEDDING = Task(
    name="embedding",
    default_model="ernie_embedding",
    head="vector",
    texts=("text",),
    pair_texts=(),
    has_windows=False,
    engine_outputs=(TensorSpec(name="vector", dtype="FP32", dims=("hidden",)),),
    tokenizer_results=(TRUNCATED,),
    results=(TensorSpec(name="embedding", dtype="FP32", dims=("hidden",)),),
)

SPARSE = Task(
    name="sparse",
    default_model="ernie_sparse",
    head="lexical",
    texts=("text",),
    pair_texts=(),
    has_windows=False,
    engine_outputs=(TensorSpec(name="weights", dtype="FP32", dims=(-1,)),),
    tokenizer_results=(TRUNCATED,),
    results=(
        TensorSpec(name="indices", dtype="INT64", dims=(-1,)),
        TensorSpec(name="values", dtype="FP32", dims=(-1,)),
    ),
)
"""The tokens of a text, by their ids in rising order, with a weight of each: a sparse vector."""

COLBERT = Task(
    name="colbert",
    default_model="ernie_colbert",
    head="token_vector",
    texts=("text",),
    pair_texts=(),
    has_windows=False,
    engine_outputs=(TensorSpec(name="token_vectors", dtype="FP32", dims=(-1, "hidden")),),
    tokenizer_results=(TRUNCATED,),
    results=(
        TensorSpec(name="vectors", dtype="FP32", dims=(-1, "hidden")),
        TensorSpec(name="count", dtype="INT32", dims=(1,)),
    ),
)
"""A vector of each token of a text, for late interaction; `count` of them are not padding."""

EXTRACTION = Task(
    name="extraction",
    default_model="ernie_uie",
    head="pointer",
    texts=(),
    pair_texts=("text", "schema"),
    has_windows=True,
    engine_outputs=QA.engine_outputs,
    tokenizer_results=(),
    results=(TensorSpec(name="result", dtype="STRING", dims=(1,)),),
    asks_again=True,
)
"""Spans that a schema names, found in a text; a prompt and the text are a pair to the engine."""

CLOZE = Task(
    name="cloze",
    default_model="ernie_cloze",
    head="masked",
    texts=("text", "parameters"),
    pair_texts=(),
    has_windows=False,
    engine_outputs=(TensorSpec(name="logits", dtype="FP32", dims=("vocabulary",)),),
    tokenizer_results=(TRUNCATED,),
    results=(TensorSpec(name="fills", dtype="STRING", dims=(1,)),),
)
"""The likeliest tokens in the place of each `[MASK]` of a text; each is a row to the engine."""

TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        *(SEQ_CLS, MULTI_LABEL, REGRESSION, RERANK, CHOICE, TOKEN_CLS, QA, EMBEDDING),
        *(SPARSE, COLBERT, EXTRACTION, CLOZE),
    )
}

INPUT_IDS = TensorSpec(name="input_ids", dtype="INT32", dims=(-1,))
TOKEN_TYPE_IDS = TensorSpec(name="token_type_ids", dtype="INT32", dims=(-1,))
LENGTHS = "lengths"
"""A packed graph's input: tokens of each row, int32 [rows].

No stage sends it: padding comes after a row's last token, which is never `[PAD]`.
"""
WIDTH = "width"
"""A packed graph's input: int32 of any values; its shape, [at least the longest row], is read."""


def token_tensors(*, pair: bool) -> tuple[TensorSpec, ...]:
    """Tensors from the tokenizer stage to the engine; only rows of one request share a length.

    Token types are left out for single texts, where all tokens have the first one.
    """
    return (INPUT_IDS, TOKEN_TYPE_IDS) if pair else (INPUT_IDS,)


WINDOW_TENSORS = (
    TensorSpec(name="spans", dtype="INT32", dims=(-1, 3)),
    TensorSpec(name="window", dtype="INT32", dims=(2,)),
    TensorSpec(name="source", dtype="STRING", dims=(1,)),
)
"""Tensors from the tokenizer stage to the postprocess stage, one row a window.

`spans` has for each token its first character in the text as sent, the character after its last,
and 1 if it begins a word; `NO_SPAN` for special tokens and padding. `window` is the text's place in
the request, and the number of the window's first token in the text. `source` is the text itself in
its first window, and empty in the others.
"""

QUERY_ROW = TensorSpec(name="query_row", dtype="INT32", dims=(1,))
"""The place in the request of the query or text that a row of tokens is of."""

WEIGHTED_IDS = TensorSpec(name="weighted_ids", dtype="INT32", dims=(-1,))
"""The id of each token that may have a weight; `NO_TOKEN` for special and unknown ones and padding.
"""

NO_TOKEN = -1
"""The id of a place without a token."""

ROW_TOKENS = TensorSpec(name="row_tokens", dtype="INT32", dims=(1,))
"""The tokens of a row, special ones included, without padding."""

ASKED = TensorSpec(name="asked", dtype="STRING", dims=(1,))
"""The question of a request, for a postprocess stage that needs it.

JSON of the request's inputs in its first row, empty in the others; where a text has several rows,
JSON of what is asked of the text in each.
"""

TOKENIZATION = TensorSpec(name="tokenization", dtype="STRING", dims=(1,))
"""The tokens of a row's texts, as JSON; for requests that ask for nothing but these two."""

TOKEN_COUNT = TensorSpec(name="token_count", dtype="INT32", dims=(1,))
"""Tokens that the model reads of a row, special ones and those of all windows included."""

NO_SPAN = -1
"""The span of special tokens, of a question's tokens, and of padding."""


def pooling_parts(pooling: str) -> tuple[str, ...]:
    """Split a pooling such as `cls+mean` into its parts, in the order of their vectors.

    Raises:
        PipelineError: a part is unknown, stands twice, or is a pooler beside another.
    """
    parts = tuple(pooling.split("+"))
    if set(parts) <= set(TOKEN_POOLINGS) and len(set(parts)) == len(parts):
        return parts
    if parts == ("pooler",):
        return parts
    raise PipelineError(
        f"pooling is {pooling!r}; expected one of {', '.join(POOLINGS)}, or several of the first "
        f"{len(TOKEN_POOLINGS)} joined by +"
    )


def task_named(name: str) -> Task:
    """The task of this name.

    Raises:
        PipelineError: there is none; the message lists those there are.
    """
    if name not in TASKS:
        raise PipelineError(f"the task {name!r} is not one of {', '.join(TASKS)}")
    return TASKS[name]
