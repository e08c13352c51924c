"""The head of a model from its arrays, as its family computes it."""

import numpy as np

from ernie_triton.build.load.families import HIDDEN_ACTIVATION, Family
from ernie_triton.build.load.masked_head import masked_head
from ernie_triton.build.load.named_state import NamedState, some_names
from ernie_triton.build.load.settings import CheckpointConfig
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.model.encoder import Linear
from ernie_triton.build.model.heads import (
    ChoiceHead,
    Head,
    PointerHead,
    SequenceHead,
    SpanHead,
    TokenHead,
    VectorHead,
)
from ernie_triton.errors import CheckpointError

_OTHER_HEADS = r"(classifier|qa_outputs|linear_start|linear_end)\."
POINTERS = ("linear_start", "linear_end")
"""UIE's layers of start and end scores."""
_CRF = ("crf.", "transitions", "viterbi")


def head_from_arrays(
    arrays: NamedState, family: Family, config: CheckpointConfig, wanted: WantedHead, where: str
) -> Head:
    """Read the head of a model.

    Args:
        arrays: the checkpoint's arrays; those of the head are ticked off.
        family: what the head's arrays mean.
        config: the checkpoint's configuration.
        wanted: the kind of head, and the pooling of a `vector` head.
        where: the file, for messages.

    Raises:
        CheckpointError: an array is missing, or gives another number of scores than the
            configuration, or the head was never trained.
    """
    kind = wanted.head
    head: SequenceHead | TokenHead
    if kind == "sequence":
        head = _sequence_head(arrays, family, config, where)
    elif kind == "choice":
        return _choice_head(arrays, family, config, where)
    elif kind == "masked":
        return masked_head(arrays, config, where)
    elif kind == "vector":
        arrays.skip_matching(_OTHER_HEADS)
        activation = _pooler_activation(family, config)
        pooler = _pooler(arrays) if arrays.has(f"{arrays.prefix}pooler.dense.weight") else None
        return VectorHead(
            pooling=wanted.pooling or "cls", pooler=pooler, pooler_activation=activation
        )
    elif kind == "token":
        _skip_pooler(arrays)
        head = TokenHead(output=_classifier(arrays, "classifier", "token", where))
    elif kind == "pointer":
        _skip_pooler(arrays)
        return _pointer_head(arrays, where)
    else:
        if family.untrained_ends:
            raise CheckpointError(
                f"{where} was trained by a class of PaddleNLP that gives the scores of starts for "
                f"ends too, so its ends were never trained; train it with transformers"
            )
        _skip_pooler(arrays)
        name = "qa_outputs" if arrays.has("qa_outputs.weight") else "classifier"
        return SpanHead(output=_classifier(arrays, name, "span", where))
    if config.scores not in (None, head.output.outputs):
        raise CheckpointError(
            f"{where} gives {head.output.outputs} scores but the configuration names "
            f"{config.scores} labels; put id2label with {head.output.outputs} names into it"
        )
    return head


def _sequence_head(
    arrays: NamedState, family: Family, config: CheckpointConfig, where: str
) -> SequenceHead:
    """Read the classifier of texts: one linear layer after the pooler, or the family's own two."""
    if not family.text_head:
        if arrays.has("classifier.out_proj.weight"):
            raise CheckpointError(
                f"{where} has classifier.out_proj, a head of RoBERTa or ELECTRA; a model of the "
                f"type {family.base} has none; put the model's own type into the configuration"
            )
        output = _classifier(arrays, "classifier", "sequence", where)
        activation = _pooler_activation(family, config)
        if family.relu_scores:
            activation = "relu" if activation == "identity" else f"{activation}_relu"
        return SequenceHead(pooler=_pooler(arrays), pooler_activation=activation, output=output)
    _skip_pooler(arrays)
    if not arrays.has("classifier.out_proj.weight"):
        _classifier(arrays, "classifier.out_proj", "sequence", where)
    own = family.text_head
    return SequenceHead(
        pooler=arrays.linear("classifier.dense"),
        pooler_activation=config.activation if own == HIDDEN_ACTIVATION else own,
        output=arrays.linear("classifier.out_proj"),
    )


def _choice_head(
    arrays: NamedState, family: Family, config: CheckpointConfig, where: str
) -> ChoiceHead:
    """Read the layer of an option's score: after the pooler, whatever the family's classifiers."""
    if arrays.has("sequence_summary.summary.weight") or arrays.has("sequence_summary.dense.weight"):
        raise CheckpointError(
            f"{where} scores options by a sequence_summary, as ELECTRA does; expected a pooler; "
            f"export the model to ONNX and build from that file"
        )
    if arrays.has("classifier.out_proj.weight"):  # DistilBERT's, by the names of `own_names`
        pooler, output = arrays.linear("classifier.dense"), "classifier.out_proj"
        activation = family.text_head
    else:
        pooler, output = _pooler(arrays), "classifier"
        activation = _pooler_activation(family, config)
    return ChoiceHead(
        pooler=pooler,
        pooler_activation=activation,
        output=_classifier(arrays, output, "choice", where),
    )


def _classifier(arrays: NamedState, name: str, kind: str, where: str) -> Linear:
    """Read the layer of the scores; where it is missing, name what is there instead."""
    if arrays.has(f"{name}.weight"):
        return arrays.linear(name)
    of = {
        "sequence": "sequence",
        "choice": "multiple choice",
        "token": "token",
        "span": "answer span",
        "pointer": "prompted span",
    }[kind]
    others = [left for left in arrays.left() if not left.startswith(arrays.prefix or "\0")]
    if not arrays.prefix:
        others = [left for left in others if not left.startswith(("embeddings.", "encoder."))]
    others = [left for left in others if not left.startswith("pooler.")]
    found = f" but has {some_names(others)}" if others else ""
    instead = (
        "; a head of one's own can be renamed in the weights where it computes the same, or "
        "exported with the model to ONNX"
        if others
        else ""
    )
    raise CheckpointError(
        f"{where} has no {name}.weight{found}; expected a model fine-tuned for {of} "
        f"classification, not a pre-trained one or one of another task{instead}"
    )


def _pointer_head(arrays: NamedState, where: str) -> PointerHead:
    """Read UIE's two layers of one score each as the two columns of one."""
    start, end = (_classifier(arrays, name, "pointer", where) for name in POINTERS)
    return PointerHead(
        output=Linear(
            weight=np.concatenate([start.weight, end.weight], axis=1),
            bias=np.concatenate([start.bias, end.bias]),
        )
    )


def crf_fault(left: list[str]) -> str:
    """Say what arrays of a CRF mean; empty where there are none among the arrays left over."""
    found = [name for name in left if any(part in name.lower() for part in _CRF)]
    if not found:
        return ""
    return (
        f"{some_names(found)} are a CRF, whose transitions choose the labels together; labels are "
        f"chosen token by token here; train the model without it"
    )


def _pooler(arrays: NamedState) -> Linear:
    return arrays.linear(f"{arrays.prefix}pooler.dense")


def _skip_pooler(arrays: NamedState) -> None:
    arrays.skip(*(f"{arrays.prefix}pooler.dense.{part}" for part in ("weight", "bias")))


def _pooler_activation(family: Family, config: CheckpointConfig) -> str:
    return config.pooler_activation if family.pool_act else "tanh"
