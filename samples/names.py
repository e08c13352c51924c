"""Parameter names of ERNIE in transformers and in PaddleNLP.

The mathematics is the same (post-norm, erf GELU, tanh pooler: PaddleNLP's own logits are met to
1e-6 by transformers with the renamed weights); only the names differ, and the orientation of
linear weights: [out, in] in PyTorch, [in, out] in Paddle.
"""

_PADDLE_PARTS = (
    ("embeddings.LayerNorm", "embeddings.layer_norm"),
    ("encoder.layer.", "encoder.layers."),
    ("attention.self.query", "self_attn.q_proj"),
    ("attention.self.key", "self_attn.k_proj"),
    ("attention.self.value", "self_attn.v_proj"),
    ("attention.output.dense", "self_attn.out_proj"),
    ("attention.output.LayerNorm", "norm1"),
    ("intermediate.dense", "linear1"),
    ("output.dense", "linear2"),
    ("output.LayerNorm", "norm2"),
    ("qa_outputs", "classifier"),
)
POOLER = "ernie.pooler.dense"
_FIRST = ("word", "position", "token_type", "task_type")
_IN_LAYER = (
    *(f"self_attn.{part}_proj" for part in ("q", "k", "v", "out")),
    *("linear1", "linear2", "norm1", "norm2"),
)


def paddle_name_from_transformers(name: str) -> str:
    """The name of a parameter in PaddleNLP's state dict."""
    for transformers_part, paddle_part in _PADDLE_PARTS:
        name = name.replace(transformers_part, paddle_part)
    return name


def is_linear_weight(paddle_name: str) -> bool:
    """Tell whether a parameter is a linear layer's matrix, stored [in, out] by Paddle."""
    return paddle_name.endswith(".weight") and not any(
        part in paddle_name for part in ("embeddings.", ".norm")
    )


def paddle_parameter_order(layers: int, *, with_task_type: bool) -> list[str]:
    """PaddleNLP's names of a task model's parameters, in the order of its file."""
    tables = _FIRST if with_task_type else _FIRST[:-1]
    names = [f"ernie.embeddings.{table}_embeddings.weight" for table in tables]
    modules = [
        "ernie.embeddings.layer_norm",
        *(f"ernie.encoder.layers.{layer}.{part}" for layer in range(layers) for part in _IN_LAYER),
        POOLER,
        "classifier",
    ]
    return names + [f"{module}.{kind}" for module in modules for kind in ("weight", "bias")]


def static_names_from_structured(names: list[str]) -> dict[str, str]:
    """Paddle's own name of each parameter (`linear_3.w_0`): numbered by kind, in file order."""
    counters = {"embedding": 0, "layer_norm": 0, "linear": 0}
    numbers: dict[str, str] = {}
    static: dict[str, str] = {}
    for name in names:
        module, _, parameter = name.rpartition(".")
        if module not in numbers:
            kind = _kind(module)
            numbers[module] = f"{kind}_{counters[kind]}"
            counters[kind] += 1
        static[name] = f"{numbers[module]}.{'w' if parameter == 'weight' else 'b'}_0"
    return static


def _kind(module: str) -> str:
    if module.endswith("_embeddings"):
        return "embedding"
    return "layer_norm" if "norm" in module.rpartition(".")[2] else "linear"
