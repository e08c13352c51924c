"""The engine stage as a container runs it: sessions, plans, copies; the committed examples."""

import dataclasses

import pytest
from tritonclient.grpc import model_config_pb2 as pb

from ernie_triton.build.config import pipeline_configs
from ernie_triton.errors import PipelineError
from ernie_triton.pipeline import PipelineSpec
from tests.build.config.configs import embedded, in_containers, parameters_of
from tests.build.config.specs import LENGTHS, SIZES
from tests.build.models import spec_of
from tests.paths import FIXTURES

GOLDENS = FIXTURES / "configs"
EXAMPLES = {
    "onnxruntime_cpu_packed": spec_of(task="token_cls", engine="onnxruntime", threads=2),
    "onnxruntime_gpu_padded": spec_of(
        pair=True, engine="onnxruntime", precision="fp16", device="gpu", layout="padded"
    ),
    "tensorrt_fp16_packed": spec_of(task="qa", engine="tensorrt", precision="fp16", instances=2),
}
"""Pipelines whose configurations are committed as a build writes them."""


def container_engine(spec: PipelineSpec) -> pb.ModelConfig:
    return in_containers(pipeline_configs(spec, SIZES, LENGTHS))[spec.stage("engine")]


def embedded_engine(spec: PipelineSpec) -> pb.ModelConfig:
    return embedded(pipeline_configs(spec, SIZES, LENGTHS))[spec.stage("engine")]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_committed_examples_are_what_a_build_writes(name: str) -> None:
    written = {
        f"{model}/{path}": text
        for model, files in pipeline_configs(EXAMPLES[name], SIZES, LENGTHS).items()
        for path, text in files.items()
    }
    folder = GOLDENS / name
    committed = {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.pbtxt")
    }
    assert written == committed


def test_a_session_has_the_threads_that_were_asked_for_and_no_arena_on_cpu() -> None:
    asked = container_engine(spec_of(engine="onnxruntime", threads=3))
    assert parameters_of(asked) == {"intra_op_thread_count": "3", "enable_mem_arena": "0"}
    # ONNX Runtime takes every core by itself.
    every = container_engine(spec_of(engine="onnxruntime"))
    assert parameters_of(every) == {"enable_mem_arena": "0"}
    assert not parameters_of(container_engine(spec_of(engine="onnxruntime", device="gpu")))
    assert asked.default_model_filename == "model.onnx"


@pytest.mark.parametrize(
    ("engine", "device"),
    [("openvino", "cpu"), ("onnxruntime", "cpu"), ("onnxruntime", "gpu"), ("tensorrt", "gpu")],
)
def test_as_many_copies_run_as_were_asked_for(engine: str, device: str) -> None:
    spec = spec_of(engine=engine, device=device, instances=3)
    for config in (container_engine(spec), embedded_engine(spec)):
        assert [group.count for group in config.instance_group] == [3]


def test_every_gpu_has_a_plan_of_its_own_name() -> None:
    files = container_engine(spec_of(engine="tensorrt", precision="fp16")).cc_model_filenames
    assert files == {
        "7.0": "model_sm70.plan",
        "7.5": "model_sm75.plan",
        "8.0": "model_sm80.plan",
        "8.6": "model_sm86.plan",
        "8.9": "model_sm89.plan",
        "9.0": "model_sm90.plan",
        "10.0": "model_sm100.plan",
        "10.3": "model_sm103.plan",
        "12.0": "model_sm120.plan",
        "12.1": "model_sm121.plan",
    }


def test_volta_has_no_int8_plan() -> None:
    files = container_engine(spec_of(engine="tensorrt", precision="int8")).cc_model_filenames
    assert "7.5" in files
    assert "7.0" not in files


def test_a_graph_that_is_served_as_it_came_stays_with_our_python_backend() -> None:
    sizes = dataclasses.replace(SIZES, is_canonical=False)
    spec = spec_of(engine="onnxruntime", layout="padded")
    files = pipeline_configs(spec, sizes, LENGTHS)
    assert {path for texts in files.values() for path in texts} == {"config.pbtxt"}
    assert in_containers(files)[spec.stage("engine")].backend == "python"
    assert "length_bucket" not in parameters_of(in_containers(files)[spec.stage("tokenizer")])


@pytest.mark.parametrize("engine", ["onnxruntime", "tensorrt"])
def test_a_graph_that_is_served_as_it_came_is_refused_on_gpus(engine: str) -> None:
    sizes = dataclasses.replace(SIZES, is_canonical=False)
    spec = spec_of(engine=engine, layout="padded", device="gpu")
    with pytest.raises(PipelineError, match="build with --engine onnxruntime --device cpu"):
        pipeline_configs(spec, sizes, LENGTHS)
