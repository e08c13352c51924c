"""The parts that the configurations of all models share: tensors, batching, warm-up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tritonclient.grpc import model_config_pb2 as pb

from ernie_triton.pipeline import PipelineSpec
from ernie_triton.settings import StageSettings
from ernie_triton.tasks import TensorSpec
from ernie_triton.tokenizer.rules import ORDINARY, TokenRules

WARM_UP_TEXTS = ("short", "long")
"""Names of the warm-up samples; each stage's `warmup/` folder holds a file per sample and input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSizes:
    """Sizes and properties of the model that its configurations need.

    Attributes:
        labels: label names in the order of the output units; empty where the task has none.
        hidden: width of the vectors, or of the scores of the vocabulary.
        lower_case: the vocabulary wants texts in lower case.
        tokenize_chinese_chars: each ideograph is a word to it; otherwise a run of them is one.
        lower_texts: texts are converted to lower case before they are tokenised.
        rules: the tokenizer's other rules.
        pad_token_id: the id that fills rows.
        vocabulary_size: rows of the word embeddings.
        token_types: rows of the token type embeddings.
        prompts: texts to put before others, by name, as the checkpoint has them.
        skipped_tokens: at the beginning of a text, without a vector of their own (colbert).
        is_canonical: the graph is written by us; one that is served as it came has inputs of its
            own, which only our Python backend can feed.
    """

    labels: tuple[str, ...]
    hidden: int
    lower_case: bool
    pad_token_id: int
    vocabulary_size: int
    token_types: int
    is_canonical: bool = True
    tokenize_chinese_chars: bool = True
    lower_texts: bool = False
    rules: TokenRules = ORDINARY
    prompts: Mapping[str, str] = field(default_factory=dict)
    skipped_tokens: int = 0

    @property
    def by_name(self) -> dict[str, int]:
        """The sizes that tensors' dims name."""
        return {"labels": len(self.labels), "hidden": self.hidden, "vocabulary": self.hidden}


def model_config(
    spec: PipelineSpec,
    name: str,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    sizes: ModelSizes,
) -> pb.ModelConfig:
    """A model with its tensors and nothing that says how it runs."""
    named = sizes.by_name
    config = pb.ModelConfig(name=name, max_batch_size=spec.batching.max_batch_size)
    config.version_policy.latest.num_versions = 1
    for tensor in inputs:
        config.input.add(name=tensor.name, data_type=data_type(tensor), dims=tensor.resolved(named))
    for tensor in outputs:
        added = config.output.add(
            name=tensor.name, data_type=data_type(tensor), dims=tensor.resolved(named)
        )
        if tensor.has_label_names:
            added.label_filename = "labels.txt"
    return config


def python_stage(
    spec: PipelineSpec,
    part: str,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    sizes: ModelSizes,
    settings: StageSettings,
) -> pb.ModelConfig:
    """A model of Triton's Python backend."""
    config = model_config(spec, spec.stage(part), inputs, outputs, sizes)
    config.backend = "python"
    # Triton's own default is two, whose thread pools would fight over the same cores.
    count = spec.stage_instances(part)
    config.instance_group.add(count=count, kind=pb.ModelInstanceGroup.KIND_CPU)
    batch_dynamically(config, spec)
    for name, value in settings.to_parameters().items():
        config.parameters[name].string_value = value
    return config


def batch_dynamically(config: pb.ModelConfig, spec: PipelineSpec) -> None:
    """Batch requests dynamically; a full queue of joined stages refuses more than its bound.

    In an ensemble the tokenizer refuses: tritonserver 2.51 crashes where a bound of its own does.
    """
    config.dynamic_batching.SetInParent()
    if spec.is_joined and spec.batching.max_queue_size:
        policy = config.dynamic_batching.default_queue_policy
        policy.max_queue_size = spec.batching.max_queue_size


def allow_ragged(config: pb.ModelConfig) -> None:
    """Let requests of different lengths share a run: each row says its own length."""
    for tensor in config.input:
        tensor.allow_ragged_batch = -1 in tensor.dims


def add_warm_up(
    config: pb.ModelConfig, sample: str, inputs: Sequence[TensorSpec], sizes: Mapping[int, int]
) -> None:
    """Run a sample of one row when the model is loaded; `sizes` are put in for dims like -1."""
    added = config.model_warmup.add(name=sample, batch_size=1)
    for tensor in inputs:
        given = added.inputs[tensor.name]
        given.data_type = data_type(tensor)
        given.dims.extend(sizes.get(dim, dim) for dim in tensor.resolved({}))
        given.input_data_file = f"{sample}_{tensor.name}"


def data_type(tensor: TensorSpec) -> "pb.DataType":
    """The protobuf's name of a tensor's type."""
    return pb.DataType.Value(f"TYPE_{tensor.dtype}")
