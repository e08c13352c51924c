"""The tasks as data: what comes in, what the engine gives, what goes out.

Everything else (configurations, stages, checks) is derived from this table; a new task is an entry
here, an encoder or decoder, and a client command.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ernie_triton.errors import PipelineError

LAYOUTS = ("packed", "padded")
PRECISIONS = ("fp32", "bf16")
ENGINES = ("openvino", "onnxruntime")


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """One tensor of a stage, per row of a batch.

    Attributes:
        name: as on the wire.
        dtype: Triton's name of the type, without `TYPE_`.
        dims: a number, -1 for any length, or the name of a size that the model decides (`labels`).
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
        default_model: the name of its ensemble unless told otherwise.
        texts: names of the STRING inputs of single texts.
        pair_texts: the same for pairs of texts; empty where the task has none.
        engine_outputs: what the engine returns for each row.
        tokenizer_results: results that the tokenizer stage knows by itself.
        results: what the postprocess stage makes of the engine's outputs.
    """

    name: str
    default_model: str
    texts: tuple[str, ...]
    pair_texts: tuple[str, ...]
    engine_outputs: tuple[TensorSpec, ...]
    tokenizer_results: tuple[TensorSpec, ...]
    results: tuple[TensorSpec, ...]

    def text_inputs(self, *, pair: bool) -> tuple[TensorSpec, ...]:
        """The ensemble's inputs.

        Raises:
            PipelineError: pairs are asked of a task that has none.
        """
        names = self.pair_texts if pair else self.texts
        if not names:
            raise PipelineError(f"the task {self.name} does not take pairs of texts")
        return tuple(TensorSpec(name=name, dtype="STRING", dims=(1,)) for name in names)


SEQ_CLS = Task(
    name="seq_cls",
    default_model="ernie_seqcls",
    texts=("text",),
    pair_texts=("text", "text_pair"),
    engine_outputs=(TensorSpec(name="logits", dtype="FP32", dims=("labels",)),),
    tokenizer_results=(TensorSpec(name="truncated", dtype="BOOL", dims=(1,)),),
    results=(
        TensorSpec(name="label", dtype="INT64", dims=(1,)),
        TensorSpec(name="confidence", dtype="FP32", dims=(1,)),
        TensorSpec(name="label_name", dtype="STRING", dims=(1,)),
        TensorSpec(name="scores", dtype="FP32", dims=("labels",), has_label_names=True),
    ),
)

TASKS: Mapping[str, Task] = {task.name: task for task in (SEQ_CLS,)}

TOKEN_TENSORS = (
    TensorSpec(name="input_ids", dtype="INT32", dims=(-1,)),
    TensorSpec(name="token_type_ids", dtype="INT32", dims=(-1,)),
)
"""What the tokenizer stage hands to the engine, ragged: rows of one request share a length."""

LENGTHS = TensorSpec(name="lengths", dtype="INT32", dims=(1,))
"""Real tokens of each row, so that a packed engine need not guess them from padding."""


def task_named(name: str) -> Task:
    """The task of this name.

    Raises:
        PipelineError: there is none; the message lists those there are.
    """
    if name not in TASKS:
        raise PipelineError(f"the task {name!r} is not one of {', '.join(TASKS)}")
    return TASKS[name]
