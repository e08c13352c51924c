"""Tiny torch models with random weights, and their ONNX exports in several styles."""

import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any, cast

import onnx
import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional

VOCABULARY, HIDDEN, POSITIONS, LABELS = 60, 24, 32, 5
IDS, TYPES, MASK = "input_ids", "token_type_ids", "attention_mask"
PLACES = "position_ids"
TRANSFORMERS: dict[str, dict[str, Any]] = {
    "Bert": {},
    "Ernie": {"type_vocab_size": 4, "use_task_id": True, "task_type_vocab_size": 3},
    "Roberta": {"type_vocab_size": 1},
}
HEADS = {
    "sequence": "ForSequenceClassification",
    "choice": "ForMultipleChoice",
    "token": "ForTokenClassification",
    "span": "ForQuestionAnswering",
    "vector": "Model",
    "masked": "ForMaskedLM",
}


def transformers_model(
    kind: str, attention: str = "eager", head: str = "sequence", **settings: Any
) -> Any:
    """A two-layer model of transformers, in evaluation mode."""
    family = kind.capitalize()
    config = getattr(transformers, f"{family}Config")
    architecture = getattr(transformers, f"{family}{HEADS[head]}")
    sizes = {
        "vocab_size": VOCABULARY,
        "hidden_size": HIDDEN,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "intermediate_size": 40,
        "max_position_embeddings": POSITIONS,
        "num_labels": 2 if head == "span" else LABELS,
        "attn_implementation": attention,
    }
    return randomised(architecture(config(**{**sizes, **TRANSFORMERS[family], **settings})))


def randomised(model: nn.Module) -> nn.Module:
    """Make every weight random, so that no two are equal; return the model in evaluation mode."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.2, generator=generator)
    return model.eval()


Outputs = Tensor | tuple[Tensor, ...]
Select = Callable[[tuple[Tensor, ...], Tensor], Outputs]
"""From a model's outputs and the attention mask to those of the graph."""


def all_outputs(outputs: tuple[Tensor, ...], _mask: Tensor) -> Outputs:
    """The outputs of transformers, unchanged."""
    return outputs if len(outputs) > 1 else outputs[0]


class MaskFromInput(nn.Module):
    """A transformers model that takes the attention mask."""

    inputs = (IDS, TYPES, MASK)

    def __init__(self, model: Any, select: Select = all_outputs) -> None:
        super().__init__()
        self.model, self.select = model, select

    def forward(self, ids: Tensor, types: Tensor, mask: Tensor) -> Outputs:
        return self.select(self.model(ids, mask, types, return_dict=False), mask)


class MaskFromIds(nn.Module):
    """A transformers model that makes the mask from its pad token id, as PaddleNLP's do."""

    inputs = (IDS, TYPES)

    def __init__(self, model: Any, select: Select = all_outputs) -> None:
        super().__init__()
        self.model, self.select = model, select

    def forward(self, ids: Tensor, types: Tensor) -> Outputs:
        mask = (ids != self.model.config.pad_token_id).long()
        return self.select(self.model(ids, mask, types, return_dict=False), mask)


class WithoutMask(nn.Module):
    """A transformers model for texts without padding, all of token type 0."""

    inputs = (IDS,)

    def __init__(self, model: Any, select: Select = all_outputs) -> None:
        super().__init__()
        self.model, self.select = model, select

    def forward(self, ids: Tensor) -> Outputs:
        return self.select(self.model(ids, return_dict=False), torch.ones_like(ids))


class PrunedLayer(nn.Module):
    """A post-norm layer with its own heads and width; `spoil` changes its output."""

    def __init__(self, heads: int, width: int) -> None:
        super().__init__()
        self.heads, self.size = heads, 8
        self.spoil: nn.Module = nn.Identity()
        self.query, self.key, self.value = (nn.Linear(HIDDEN, heads * 8) for _ in range(3))
        self.attention_output = nn.Linear(heads * 8, HIDDEN)
        self.attention_norm = nn.LayerNorm(HIDDEN, eps=1e-5)
        self.intermediate, self.output = nn.Linear(HIDDEN, width), nn.Linear(width, HIDDEN)
        self.output_norm = nn.LayerNorm(HIDDEN, eps=1e-5)

    def forward(self, x: Tensor, mask: Tensor, activation: Callable[[Tensor], Tensor]) -> Tensor:
        def split(y: Tensor) -> Tensor:
            return y.view(y.shape[0], y.shape[1], self.heads, self.size).transpose(1, 2)

        query = split(self.query(x) / self.size**0.5)
        scores = query @ split(self.key(x)).transpose(-1, -2)
        context = scores.masked_fill(mask, -1e9).softmax(-1) @ split(self.value(x))
        merged = context.transpose(1, 2).reshape(x.shape[0], x.shape[1], self.heads * self.size)
        x = self.attention_norm(self.attention_output(merged) + x)
        result: Tensor = self.output_norm(self.output(activation(self.intermediate(x))) + x)
        return cast(Tensor, self.spoil(result))


class PrunedClassifier(nn.Module):
    """Layers of differing shapes, pad token 3, no token types, no pooler."""

    inputs = (IDS,)

    def __init__(
        self,
        activation: Callable[[Tensor], Tensor] = functional.gelu,
        shapes: Sequence[tuple[int, int]] = ((3, 40), (1, 16), (2, 8)),
    ) -> None:
        super().__init__()
        self.activation = activation
        self.word, self.position = nn.Embedding(VOCABULARY, HIDDEN), nn.Embedding(16, HIDDEN)
        self.norm = nn.LayerNorm(HIDDEN, eps=1e-5)
        self.layers = nn.ModuleList(PrunedLayer(heads, width) for heads, width in shapes)
        self.classifier = nn.Linear(HIDDEN, LABELS)

    def forward(self, ids: Tensor) -> Tensor:
        positions = torch.arange(ids.shape[1]).unsqueeze(0)
        x = self.norm(self.word(ids) + self.position(positions))
        mask = (ids == 3)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, mask, self.activation)
        logits: Tensor = self.classifier(x[:, 0])
        return logits


_EXPORTER_WARNINGS: Sequence[tuple[str, type[Warning]]] = (
    # torch 2.13: its tracing exporter is old, as it says each time, but most files come from it;
    ("You are using the legacy|The feature will be removed", DeprecationWarning),
    # tracing fixes what Python computes, and indexing with masks; neither matters to the weights;
    ("", torch.jit.TracerWarning),  # type: ignore[attr-defined]
    ("Exporting aten::index operator", UserWarning),
    # its newer exporter uses what torch itself deprecates, and has a word on the axes' names.
    (r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning),
    ("# The axis name", UserWarning),
)


def export(
    module: nn.Module, opset: int = 17, *, dynamo: bool = False, options: int = 0
) -> onnx.ModelProto:
    """The ONNX graph of a module with `inputs`, for any number of texts and tokens.

    With `options`, inputs are [texts, options, tokens].
    """
    module.eval()
    names = [str(name) for name in module.inputs]  # type: ignore[union-attr]
    ids = torch.randint(5, VOCABULARY, (2, 8), generator=torch.Generator().manual_seed(0))
    examples = {IDS: ids, TYPES: torch.zeros_like(ids), MASK: torch.ones_like(ids)}
    examples[PLACES] = torch.arange(ids.shape[1]).expand_as(ids)
    if options:
        examples = {name: value[:, None].repeat(1, options, 1) for name, value in examples.items()}
    arguments = tuple(examples[name] for name in names)
    with warnings.catch_warnings():
        for message, category in _EXPORTER_WARNINGS:
            warnings.filterwarnings("ignore", message, category)
        export_graph = _export_dynamo if dynamo else _export_traced
        return export_graph(module, arguments, names, opset)


def _export_dynamo(
    module: nn.Module, arguments: tuple[Tensor, ...], names: list[str], opset: int
) -> onnx.ModelProto:
    program = torch.onnx.export(
        module,
        arguments,
        input_names=names,
        opset_version=opset,
        dynamo=True,
        verbose=False,
        dynamic_shapes=tuple({0: "texts", 1: "tokens"} for _ in names),
    )
    assert program is not None
    return program.model_proto


def _export_traced(
    module: nn.Module, arguments: tuple[Tensor, ...], names: list[str], opset: int
) -> onnx.ModelProto:
    written = io.BytesIO()
    torch.onnx.export(
        module,
        arguments,
        written,  # type: ignore[arg-type]
        input_names=names,
        opset_version=opset,
        dynamo=False,
        dynamic_axes={name: {0: "texts", arguments[0].ndim - 1: "tokens"} for name in names},
    )
    return onnx.load_from_string(written.getvalue())
