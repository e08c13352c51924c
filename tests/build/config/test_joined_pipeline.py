"""The three stages as one model: the ensemble's tensors, and what each stage is told."""

import dataclasses

import pytest
from tritonclient.grpc import model_config_pb2 as pb

from ernie_triton.build.config import WARM_UP_TEXTS, pipeline_configs
from ernie_triton.errors import PipelineError
from ernie_triton.pipeline import Batching, PipelineSpec
from ernie_triton.settings import EngineSettings, part_parameters
from ernie_triton.stage_names import PARTS
from tests.build.config.configs import embedded, parameters_of, tensors_of
from tests.build.config.specs import LENGTHS, SIZES, SPECS
from tests.build.models import spec_of


@pytest.fixture(params=SPECS)
def spec(request: pytest.FixtureRequest) -> PipelineSpec:
    batching = Batching(max_batch_size=9, max_queue_delay_us=40, max_queue_size=7)
    return dataclasses.replace(SPECS[request.param], batching=batching, instances=2)


def test_one_model_has_the_ensembles_tensors_and_the_stages_parameters(spec: PipelineSpec) -> None:
    stages = embedded(pipeline_configs(spec, SIZES, LENGTHS))
    joined = dataclasses.replace(spec, joined=True)
    files = pipeline_configs(joined, SIZES, LENGTHS)
    assert list(files) == [spec.name] == list(joined.models)
    assert list(files[spec.name]) == ["config.pbtxt"]  # in containers too
    config = embedded(files)[spec.name]
    assert (config.name, config.backend, config.platform) == (spec.name, "python", "")
    ensemble = stages[spec.name]
    assert tensors_of(config.input) == tensors_of(ensemble.input)
    shown = {"tokenization": (pb.TYPE_STRING, [1]), "token_count": (pb.TYPE_INT32, [1])}
    assert tensors_of(config.output) == tensors_of(ensemble.output) | shown
    assert config.max_batch_size == 9
    assert config.dynamic_batching.max_queue_delay_microseconds == 40
    assert config.dynamic_batching.default_queue_policy.max_queue_size == 7
    assert config.instance_group[0].count == 2
    assert tuple(sample.name for sample in config.model_warmup) == WARM_UP_TEXTS
    told = parameters_of(config)
    for part in PARTS:
        expected = parameters_of(stages[spec.stage(part)])
        for name in ("length_bucket", "max_waiting", "tells_taken"):  # between processes alone
            expected.pop(name, None)
        assert part_parameters(told, part) == expected
    assert {name.split(".")[0] for name in told} == set(PARTS)


@pytest.mark.parametrize("engine", ["onnxruntime", "tensorrt"])
def test_joined_stages_run_on_a_gpu_where_asked_for(engine: str) -> None:
    spec = spec_of(engine=engine, precision="fp16", device="gpu", joined=True, instances=2)
    files = pipeline_configs(spec, SIZES, LENGTHS)
    assert {model: list(texts) for model, texts in files.items()} == {spec.name: ["config.pbtxt"]}
    config = embedded(files)[spec.name]
    settings = EngineSettings.from_parameters(part_parameters(parameters_of(config), "engine"))
    assert (settings.engine, settings.device) == (engine, "gpu")
    assert [group.count for group in config.instance_group] == [2]
    sizes = dataclasses.replace(SIZES, is_canonical=False)
    with pytest.raises(PipelineError, match="build with --engine onnxruntime --device cpu"):
        pipeline_configs(spec, sizes, LENGTHS)
