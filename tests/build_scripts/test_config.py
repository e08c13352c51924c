"""Every configuration is read back as Triton reads it; an ensemble's links have to agree."""

import itertools

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from build_scripts.config import WARM_UP_TEXTS, ModelSizes, pipeline_configs
from ernie_triton.pipeline import (
    Batching,
    EngineSettings,
    PipelineSpec,
    PostprocessSettings,
    TokenizerSettings,
)
from tests.build_scripts.models import spec_of

SIZES = ModelSizes(
    labels=15, lower_case=False, pad_token_id=3, vocabulary_size=18_000, token_types=2
)
SPECS = {
    "single": spec_of(name="titles", threads=4, precision="bf16", max_length=64),
    "pair": spec_of(
        pair=True,
        engine="onnxruntime",
        layout="padded",
        batching=Batching(max_batch_size=8, max_queue_delay_us=500, max_queue_size=3),
    ),
}
LENGTHS = (5, 40)


def configs_of(spec: PipelineSpec) -> dict[str, pb.ModelConfig]:
    texts = pipeline_configs(spec, SIZES, LENGTHS)
    return {name: text_format.Parse(text, pb.ModelConfig()) for name, text in texts.items()}


def parameters_of(config: pb.ModelConfig) -> dict[str, str]:
    return {name: value.string_value for name, value in config.parameters.items()}


@pytest.fixture(params=SPECS)
def spec(request: pytest.FixtureRequest) -> PipelineSpec:
    return SPECS[request.param]


@pytest.fixture
def configs(spec: PipelineSpec) -> dict[str, pb.ModelConfig]:
    return configs_of(spec)


def test_a_pipeline_is_an_ensemble_and_its_three_stages(
    spec: PipelineSpec, configs: dict[str, pb.ModelConfig]
) -> None:
    parts = ("tokenizer", "engine", "postprocess")
    assert list(configs) == [spec.name, *(f"{spec.name}_{part}" for part in parts)]
    assert all(config.name == name for name, config in configs.items())
    assert [config.platform for config in configs.values()] == ["ensemble", "", "", ""]
    assert [config.backend for config in configs.values()] == ["", "python", "python", "python"]
    steps = configs[spec.name].ensemble_scheduling.step
    assert [step.model_name for step in steps] == list(configs)[1:]
    assert {step.model_version for step in steps} == {-1}


def test_every_link_agrees_in_name_type_and_shape(
    spec: PipelineSpec, configs: dict[str, pb.ModelConfig]
) -> None:
    ensemble = configs[spec.name]
    made = {tensor.name: (tensor.data_type, list(tensor.dims)) for tensor in ensemble.input}
    for step in ensemble.ensemble_scheduling.step:
        stage = configs[step.model_name]
        inputs = {tensor.name: (tensor.data_type, list(tensor.dims)) for tensor in stage.input}
        outputs = {tensor.name: (tensor.data_type, list(tensor.dims)) for tensor in stage.output}
        # Triton wants every input of a stage mapped, and lets only its own outputs be.
        assert set(step.input_map) == set(inputs)
        assert set(step.output_map) == set(outputs)
        for name, source in step.input_map.items():
            assert made[source] == inputs[name]
        for name, target in step.output_map.items():
            assert target not in made
            made[target] = outputs[name]
    for tensor in ensemble.output:
        assert made[tensor.name] == (tensor.data_type, list(tensor.dims))


def test_the_ensemble_keeps_the_wire_contract(
    spec: PipelineSpec, configs: dict[str, pb.ModelConfig]
) -> None:
    ensemble = configs[spec.name]
    texts = ["text", "text_pair"] if spec.pair else ["text"]
    assert [(tensor.name, tensor.data_type, list(tensor.dims)) for tensor in ensemble.input] == [
        (name, pb.TYPE_STRING, [1]) for name in texts
    ]
    assert {tensor.name: (tensor.data_type, list(tensor.dims)) for tensor in ensemble.output} == {
        "label": (pb.TYPE_INT64, [1]),
        "confidence": (pb.TYPE_FP32, [1]),
        "label_name": (pb.TYPE_STRING, [1]),
        "scores": (pb.TYPE_FP32, [15]),
        "truncated": (pb.TYPE_BOOL, [1]),
    }
    files = {tensor.name: tensor.label_filename for tensor in ensemble.output}
    assert files.pop("scores") == "labels.txt"
    assert set(files.values()) == {""}


def test_rows_of_any_length_share_an_engine_run_whose_tensors_are_int32(
    spec: PipelineSpec, configs: dict[str, pb.ModelConfig]
) -> None:
    engine = configs[spec.stage("engine")]
    assert {t.name: (t.data_type, list(t.dims), t.allow_ragged_batch) for t in engine.input} == {
        "input_ids": (pb.TYPE_INT32, [-1], True),
        "token_type_ids": (pb.TYPE_INT32, [-1], True),
        "lengths": (pb.TYPE_INT32, [1], False),
    }
    others = [config for config in configs.values() if config is not engine]
    tensors = itertools.chain.from_iterable(config.input for config in others)
    assert not any(tensor.allow_ragged_batch for tensor in tensors)


def test_every_stage_is_one_instance_with_a_bounded_queue(
    spec: PipelineSpec, configs: dict[str, pb.ModelConfig]
) -> None:
    for name, config in configs.items():
        assert config.max_batch_size == spec.batching.max_batch_size
        if name == spec.name:
            assert not config.instance_group
            assert not config.HasField("dynamic_batching")
            continue
        assert [(group.count, group.kind) for group in config.instance_group] == [
            (1, pb.ModelInstanceGroup.KIND_CPU)
        ]
        batching = config.dynamic_batching
        assert batching.max_queue_delay_microseconds == spec.batching.max_queue_delay_us
        assert batching.default_queue_policy.max_queue_size == spec.batching.max_queue_size
        assert batching.default_queue_policy.max_queue_size > 0


def test_parameters_are_the_stages_settings(
    spec: PipelineSpec, configs: dict[str, pb.ModelConfig]
) -> None:
    tokenizer = TokenizerSettings.from_parameters(parameters_of(configs[spec.stage("tokenizer")]))
    assert tokenizer == TokenizerSettings(
        task="seq_cls", pair=spec.pair, max_length=spec.max_length, lower_case=False
    )
    engine = EngineSettings.from_parameters(parameters_of(configs[spec.stage("engine")]))
    assert engine == EngineSettings(
        task="seq_cls",
        engine=spec.engine,
        precision=spec.precision,
        layout=spec.layout,
        threads=spec.threads,
        max_length=spec.max_length,
        pad_token_id=3,
        vocabulary_size=18_000,
        token_types=2,
    )
    postprocess = parameters_of(configs[spec.stage("postprocess")])
    assert PostprocessSettings.from_parameters(postprocess) == PostprocessSettings(
        task="seq_cls", labels=15
    )
    assert not configs[spec.name].parameters


def test_warm_up_gives_every_input_of_the_stage_a_file_of_its_own(
    spec: PipelineSpec, configs: dict[str, pb.ModelConfig]
) -> None:
    for part, lengths in (("tokenizer", (None, None)), ("engine", LENGTHS)):
        config = configs[spec.stage(part)]
        assert [sample.name for sample in config.model_warmup] == list(WARM_UP_TEXTS)
        for sample, length in zip(config.model_warmup, lengths, strict=True):
            assert sample.batch_size == 1
            assert set(sample.inputs) == {tensor.name for tensor in config.input}
            for tensor in config.input:
                given = sample.inputs[tensor.name]
                assert given.input_data_file == f"{sample.name}_{tensor.name}"
                assert given.data_type == tensor.data_type
                assert list(given.dims) == [length if dim == -1 else dim for dim in tensor.dims]


def test_the_same_pipeline_gives_the_same_texts() -> None:
    first, second = (pipeline_configs(SPECS["pair"], SIZES, LENGTHS) for _ in range(2))
    assert first == second
