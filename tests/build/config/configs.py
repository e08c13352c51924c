"""Configurations of a built pipeline, read back as Triton reads them."""

from collections.abc import Mapping
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

Configs = dict[str, pb.ModelConfig]
ConfigFiles = Mapping[str, Mapping[str, str]]
"""Texts of configuration files by their paths in a model's folder, by model."""

PARTS = ("tokenizer", "engine", "postprocess")


def parsed(text: str) -> pb.ModelConfig:
    return text_format.Parse(text, pb.ModelConfig())


def configs_in(repository: Path, name: str) -> Configs:
    """The ensemble's, then those of its stages, as the embedded server reads them."""
    return {
        model: parsed(_embedded(repository / model).read_text(encoding="utf-8"))
        for model in (name, *(f"{name}_{part}" for part in PARTS))
    }


def in_containers(files: ConfigFiles) -> Configs:
    """What a container's server reads of what a build writes."""
    return {model: parsed(texts["config.pbtxt"]) for model, texts in files.items()}


def embedded(files: ConfigFiles) -> Configs:
    """What the embedded server reads: the configuration named `embedded` where there is one."""
    return {
        model: parsed(texts.get("configs/embedded.pbtxt", texts["config.pbtxt"]))
        for model, texts in files.items()
    }


def _embedded(model: Path) -> Path:
    named = model / "configs/embedded.pbtxt"
    return named if named.is_file() else model / "config.pbtxt"


def parameters_of(config: pb.ModelConfig) -> dict[str, str]:
    return {name: value.string_value for name, value in config.parameters.items()}


def tensors_of(tensors: object) -> dict[str, tuple[int, list[int]]]:
    """Data type and dims by name."""
    return {tensor.name: (tensor.data_type, list(tensor.dims)) for tensor in tensors}  # type: ignore[attr-defined]


def assert_links_agree(configs: Mapping[str, pb.ModelConfig]) -> None:
    """Whatever one stage hands to another has one name, type and shape on both sides."""
    ensemble, *stages = configs.values()
    steps = ensemble.ensemble_scheduling.step
    assert [step.model_name for step in steps] == [stage.name for stage in stages]
    made = tensors_of(ensemble.input)
    for step, stage in zip(steps, stages, strict=True):
        inputs, outputs = tensors_of(stage.input), tensors_of(stage.output)
        # Triton wants every input of a stage mapped; other outputs would be made for nothing, but
        # for two that the stage makes for those alone who ask it for nothing else.
        assert set(step.input_map) == set(inputs)
        assert set(step.output_map) == set(outputs) - {"tokenization", "token_count"}
        for name, source in step.input_map.items():
            assert made[source] == inputs[name]
        for name, target in step.output_map.items():
            assert target not in made
            made[target] = outputs[name]
    for name, tensor in tensors_of(ensemble.output).items():
        assert made[name] == tensor
