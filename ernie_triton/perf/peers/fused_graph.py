"""Export a classifier and fuse its graph with ONNX Runtime's own optimiser, for the peers.

Run as `python -m ernie_triton.perf.peers.fused_graph CHECKPOINT FILE PRECISION`, so that torch
stays out of the process that measures. The optimiser knows the patterns of torch's older exporter
alone. Fusing the embeddings is left out: it would drop ERNIE's task embedding.
"""

import sys
import warnings
from pathlib import Path
from typing import Any

from ernie_triton.errors import CheckpointError
from ernie_triton.perf.peers.work import classifier_task
from ernie_triton.processor import has_int8_products, instruction_sets
from ernie_triton.tasks import TOKEN_CLS

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_OPSET = 17


def write_fused_graph(checkpoint: Path, path: Path, precision: str = "fp32") -> dict[str, int]:
    """Write the graph; inputs are int64 [items, length], the output `logits`.

    Args:
        checkpoint: of transformers, a classifier of texts or of tokens.
        path: the file.
        precision: `fp32`, or `int8` by ONNX Runtime's dynamic quantisation.

    Returns:
        How many operators of each kind were fused.

    Raises:
        CheckpointError: attention was not fused in every layer.
    """
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_model
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

    of_tokens = classifier_task(checkpoint) == TOKEN_CLS.name
    kind = AutoModelForTokenClassification if of_tokens else AutoModelForSequenceClassification
    model = kind.from_pretrained(
        checkpoint, attn_implementation="eager", local_files_only=True
    ).eval()
    exported = path.with_suffix(".exported.onnx")
    _export(model, exported)
    options = FusionOptions("bert")
    options.enable_embed_layer_norm = False
    fused = optimize_model(
        str(exported),
        model_type="bert",
        num_heads=model.config.num_attention_heads,
        hidden_size=model.config.hidden_size,
        optimization_options=options,
    )
    found: dict[str, int] = fused.get_fused_operator_statistics()
    if found["Attention"] != model.config.num_hidden_layers:
        raise CheckpointError(
            f"ONNX Runtime's optimiser fused the attention of {found['Attention']} of "
            f"{model.config.num_hidden_layers} layers; the peers would be slower than they can be"
        )
    fused.save_model_to_file(str(path))
    exported.unlink()
    if precision == "int8":
        quantise(path)
    return found


def quantise(path: Path) -> None:
    """Replace a graph by its form with INT8 weights and activations of each run's own range.

    As ONNX Runtime's documents say: weights of 7 bits where the processor has no INT8 products.
    """
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    full = path.with_suffix(".full.onnx")
    path.rename(full)
    narrow = not has_int8_products(instruction_sets())
    quantize_dynamic(
        full,
        path,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=narrow,
        # Shapes and types of fused operators are not inferred.
        extra_options={"DefaultTensorType": TensorProto.FLOAT},
    )
    full.unlink()


def _export(model: Any, path: Path) -> None:  # noqa: ANN401
    import torch

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Any, mask: Any, types: Any) -> Any:  # noqa: ANN401
            outputs = self.model(input_ids=ids, attention_mask=mask, token_type_ids=types)
            return outputs.logits

    ids, types = torch.ones(2, 8, dtype=torch.int64), torch.zeros(2, 8, dtype=torch.int64)
    mask = torch.tensor([[1] * 8, [1] * 5 + [0] * 3])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecation
        torch.onnx.export(
            Logits(),
            (ids, mask, types),
            str(path),
            dynamo=False,
            opset_version=_OPSET,
            input_names=[*_INPUTS],
            output_names=["logits"],
            dynamic_axes={name: {0: "items", 1: "length"} for name in _INPUTS},
        )


if __name__ == "__main__":
    checkpoint, target, precision = sys.argv[1:]
    found = write_fused_graph(Path(checkpoint), Path(target), precision)
    print(f"fused: {found}", file=sys.stderr)
