"""The model types that are read from weights, and what each of them means.

Many architectures name their arrays as BERT does and compute something else: other positions, a
causal mask, another activation in the head. So a checkpoint is read only where its `model_type`, or
the class in `architectures`, stands in this table. `FAMILIES` has one entry for each type of each
framework; its values are those of the framework's own source.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ernie_triton.build.load.weights import PADDLENLP, TRANSFORMERS, NameScheme
from ernie_triton.errors import CheckpointError

HIDDEN_ACTIVATION = "hidden_act"
"""In place of an activation's name: the one of the feed-forward layers."""

HEADS_BY_ARCHITECTURE = {
    "UIEModel": "pointer",
    "UIE": "pointer",
    "UIEM": "pointer",
    "ForInformationExtraction": "pointer",
    "ForSequenceClassification": "sequence",
    "ForMultipleChoice": "choice",
    "ForTokenClassification": "token",
    "ForQuestionAnswering": "span",
    "Model": "vector",
    "ForMaskedLM": "masked",
    "ForPreTraining": "masked",
    "ForPretraining": "masked",
}
"""Kinds of head, as `Task.head` has them, by the ending of the architecture's name.

The first of a kind is the one that is written.
"""

# The configuration of a pre-trained model is often copied beside fine-tuned weights: the arrays
# then tell the head.
_PRE_TRAINING = (
    *("LMHeadModel", "ForCausalLM", "ForTotalPretraining", "Discriminator", "Generator"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Meaning of a model type for its arrays.

    Attributes:
        classes: the beginning of its classes' names.
        base: prefix of the encoder's arrays where the model has a head.
        text_head: activation between the two layers `classifier.dense` and `classifier.out_proj` of
            its sequence head, or `HIDDEN_ACTIVATION`; empty where the head is the pooler and
            `classifier`.
        pad_token_id: the padding token where the configuration names none.
        positions: `first` where the first token has row 0 of the position table, `after_pad` where
            it has the row after the padding token's id, `third` where it has ERNIE-M's,
            `by_release` where `family_of_release` decides.
        task_types: `use_task_id` adds a row of the task type table: `task_id`, or `zero` for row 0;
            empty where the type has no such table.
        pool_act: the configuration's `pool_act` can switch the pooler's activation off.
        relu_scores: a ReLU stands between the pooler's activation and the scores of a text.
        norm_epsilon: epsilon of every norm, whatever the configuration says; None: as it says.
        projection: `always` where a layer widens the embeddings, `narrower` where one does if they
            are narrower than the layers; empty where none does.
        token_types: token types are embedded; otherwise both texts of a pair look alike.
        embeds_pad: the padding token has an embedding also where the framework takes zeros.
        attends_to_pad: a model of prompted spans was trained without a mask of padding.
        untrained_ends: its class for answer spans gives the scores of starts for ends too.
        assumed: what was taken for granted where no file tells it, in words; empty for nothing.
        by_arrays: the names of the arrays alone tell the type. Otherwise its settings differ from
            BERT's, and the configuration must name it.
    """

    classes: str
    base: str
    text_head: str = ""
    pad_token_id: int = 0
    positions: str = "first"
    task_types: str = ""
    pool_act: bool = False
    relu_scores: bool = False
    norm_epsilon: float | None = None
    projection: str = ""
    token_types: bool = True
    embeds_pad: bool = False
    attends_to_pad: bool = False
    untrained_ends: bool = False
    assumed: str = ""
    by_arrays: bool = True


_ROBERTA = Family(
    classes="Roberta", base="roberta", text_head="tanh", pad_token_id=1, positions="after_pad"
)
_ELECTRA = Family(classes="Electra", base="electra", projection="narrower")
ERNIE_M_PAD_TOKEN_ID = 1
ERNIE_M_FIRST_POSITION = 2
"""Row of the first token's position."""

_ERNIE_M = Family(
    classes="ErnieM",
    base="ernie_m",
    pad_token_id=ERNIE_M_PAD_TOKEN_ID,
    positions="third",
    token_types=False,
    embeds_pad=True,
    by_arrays=False,
)

FAMILIES: dict[str, dict[str, Family]] = {
    TRANSFORMERS.framework: {
        # `pool_act` is this package's own, for compressed PaddleNLP models.
        "bert": Family(classes="Bert", base="bert", pool_act=True),
        "ernie": Family(classes="Ernie", base="ernie", task_types="zero", pool_act=True),
        "roberta": _ROBERTA,
        "xlm-roberta": replace(_ROBERTA, classes="XLMRoberta"),
        "camembert": replace(_ROBERTA, classes="Camembert"),
        "data2vec-text": replace(_ROBERTA, classes="Data2VecText", base="data2vec_text"),
        "electra": replace(_ELECTRA, text_head="gelu"),
        "albert": Family(classes="Albert", base="albert", projection="always", by_arrays=False),
        "distilbert": Family(
            classes="DistilBert",
            base="distilbert",
            text_head="relu",
            token_types=False,
            by_arrays=False,
        ),
        "ernie_m": _ERNIE_M,
    },
    PADDLENLP.framework: {
        "bert": Family(classes="Bert", base="bert", pool_act=True),
        "ernie": Family(classes="Ernie", base="ernie", task_types="task_id", norm_epsilon=1e-12),
        "roberta": Family(classes="Roberta", base="roberta", positions="by_release"),
        "electra": replace(_ELECTRA, text_head=HIDDEN_ACTIVATION),
        "skep": Family(classes="Skep", base="skep", by_arrays=False),
        "tinybert": Family(classes="TinyBert", base="tinybert", pool_act=True, relu_scores=True),
        "ppminilm": Family(classes="PPMiniLM", base="ppminilm"),
        "albert": Family(
            classes="Albert",
            base="albert",
            projection="always",
            untrained_ends=True,
            by_arrays=False,
        ),
        "ernie_gram": Family(classes="ErnieGram", base="ernie_gram", by_arrays=False),
        "ernie_m": replace(_ERNIE_M, attends_to_pad=True),
    },
}
"""Meaning of each `model_type`, by framework."""
_LATER_RELEASE = "positions as in PaddleNLP 2.5.2 and later, since nothing names an older release"


def family_of_release(
    family: Family, *, has_own_head: bool, older_file: bool, head: str, cls_token_id: int | None
) -> Family:
    """Decide what a family means that releases of PaddleNLP read differently: RoBERTa.

    Up to 2.5.1 positions begin at 0, or after the padding token with `cls_token_id` 0, and the head
    of texts is the pooler. From 2.5.2 on they always begin after the padding token, and that head
    has two layers of its own. Both write the same `config.json`.

    Args:
        family: of a model type.
        has_own_head: whether the checkpoint has `classifier.out_proj`.
        older_file: whether the configuration is `model_config.json`, which 2.4.2 was the last to
            write.
        head: the kind of head that it was trained with.
        cls_token_id: of the configuration.
    """
    if family.positions != "by_release":
        return family
    older = older_file or (head == "sequence" and not has_own_head)
    after_pad = not older or cls_token_id == 0
    is_told = older_file or head == "sequence" or cls_token_id == 0
    return replace(
        family,
        positions="after_pad" if after_pad else "first",
        text_head="tanh" if has_own_head else "",
        assumed="" if is_told else _LATER_RELEASE,
    )


BASES = frozenset(family.base for types in FAMILIES.values() for family in types.values())
"""All prefixes of encoders inside models with a head."""

_UNLIKE = {
    **dict.fromkeys(("roformer", "roformerv2", "modernbert", "nomic_bert"), "rotary positions"),
    **dict.fromkeys(("deberta-v2", "mpnet", "nezha"), "relative positions in attention"),
    **dict.fromkeys(
        ("megatron-bert", "roberta-prelayernorm", "xlm-roberta-xl"), "norms before its layers"
    ),
}
"""Parts that the canonical graph does not have, by the type that needs them."""
INSTEAD = "export the model to ONNX and build from that file"
"""Advice on a model that the canonical graph cannot compute."""


def check_model_type(scheme: NameScheme | None, model_type: str, where: str) -> None:
    """Check a configuration's model type, before its arrays are looked at.

    Args:
        scheme: the framework's names; None where the framework is not known yet.
        model_type: of the configuration, in lower case; empty where it has none.
        where: the file, for messages.

    Raises:
        CheckpointError: the type is not supported.
    """
    frameworks = [scheme.framework] if scheme is not None else list(FAMILIES)
    types = dict.fromkeys(name for framework in frameworks for name in FAMILIES[framework])
    if model_type and model_type not in types:
        reason = f", which has {_UNLIKE[model_type]}" if model_type in _UNLIKE else ""
        raise CheckpointError(
            f"{where} is of model_type {model_type!r}{reason}; expected {', '.join(types)} from "
            f"{' or '.join(frameworks)}; {INSTEAD}"
        )


def family_of_checkpoint(
    scheme: NameScheme, *, model_type: str, architecture: str, base: str, head: str, where: str
) -> Family:
    """Find the family of a checkpoint.

    Args:
        scheme: the framework's names.
        model_type: of the configuration, checked; empty where it has none.
        architecture: the class that the configuration names; empty where it names none.
        base: prefix of the encoder's arrays, without the dot; empty where there is none.
        head: the kind of head to read. Vectors need the encoder alone, so any class gives them.
        where: the file, for messages.

    Raises:
        CheckpointError: the class is not supported, type, class and arrays contradict each other,
            or nothing says what the model is.
    """
    types = FAMILIES[scheme.framework]
    if HEADS_BY_ARCHITECTURE.get(architecture) == "pointer":
        architecture = ""  # UIE is a head on an encoder of any family
    named = types.get(model_type) or _of_class(types.values(), architecture)
    if architecture and _of_class(types.values(), architecture) is None:
        _refuse_class(types.values(), architecture, head, where, type_is_known=bool(model_type))
    if named is None:
        of_arrays = (family for family in types.values() if family.by_arrays)
        named = next((family for family in of_arrays if base == family.base), None)
    if named is None:
        raise CheckpointError(
            f"{where}: the configuration has neither model_type nor architectures, and the arrays "
            f'do not tell; add the model\'s own, such as "model_type": "bert"'
        )
    of_class = _of_class(types.values(), architecture)
    contradicts = of_class is not None and of_class.base != named.base
    if contradicts or base not in ("", named.base):
        found = architecture if contradicts else f"arrays named '{base}.…'"
        raise CheckpointError(
            f"{where}: the configuration says model_type {model_type or architecture!r} but has "
            f"{found}; put the model's own type there"
        )
    return named


def _of_class(families: Iterable[Family], architecture: str) -> Family | None:
    endings = (*HEADS_BY_ARCHITECTURE, *_PRE_TRAINING)
    return next(
        (
            family
            for family in families
            if architecture in {f"{family.classes}{ending}" for ending in endings}
        ),
        None,
    )


def _refuse_class(
    families: Iterable[Family], architecture: str, head: str, where: str, *, type_is_known: bool
) -> None:
    """Refuse a class that is in no family, unless only its encoder is read."""
    if head == "vector" and type_is_known:
        return
    classes = ", ".join(family.classes for family in families)
    raise CheckpointError(
        f"{where} is of the class {architecture}; expected {classes} with "
        f"{', '.join(HEADS_BY_ARCHITECTURE)}; {INSTEAD}, or name one of these in architectures if "
        f"the model computes the same"
    )
