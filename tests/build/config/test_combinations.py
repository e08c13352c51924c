"""Every combination of task, engine, precision, layout and device fits its graph and itself."""

import dataclasses
import functools
import itertools
from collections.abc import Iterator

import numpy as np
import onnx
import pytest
from tritonclient.grpc import model_config_pb2 as pb

from ernie_triton.build.config import ModelSizes, pipeline_configs
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.graph.numerics import Numerics
from ernie_triton.build.load.state import model_from_state
from ernie_triton.build.load.weights import TRANSFORMERS
from ernie_triton.build.model.encoder import Linear
from ernie_triton.build.model.heads import LexicalHead, TokenVectorHead
from ernie_triton.build.model.models import trim_model
from ernie_triton.build.tensorrt.profiles import pipeline_shapes, profile_of
from ernie_triton.pipeline import Answering, PipelineSpec
from ernie_triton.settings import EngineSettings, TokenizerSettings
from ernie_triton.stages.asked_texts import ExtractionSettings
from ernie_triton.tasks import ENGINE_PRECISIONS, LAYOUTS, TASKS
from tests.build.config.configs import (
    Configs,
    assert_links_agree,
    embedded,
    in_containers,
    parameters_of,
    tensors_of,
)
from tests.build.config.engine_rules import assert_engine_fits, graph_tensors
from tests.build.config.specs import LENGTHS
from tests.build.load.exports import HIDDEN, LABELS, VOCABULARY, transformers_model
from tests.build.models import arrays_of, checkpoint_config, spec_of

RUNS_ON = {"openvino": ("cpu",), "onnxruntime": ("cpu", "gpu"), "tensorrt": ("gpu",)}
NATIVE = ("onnxruntime", "tensorrt")


def _combinations() -> Iterator[PipelineSpec]:
    for task, engine, layout in itertools.product(TASKS.values(), ENGINE_PRECISIONS, LAYOUTS):
        pairs = [pair for pair in (False, True) if (task.pair_texts if pair else task.texts)]
        choices = itertools.product(pairs, ENGINE_PRECISIONS[engine], RUNS_ON[engine])
        for pair, precision, device in choices:
            yield spec_of(
                task=task.name,
                pair=pair,
                engine=engine,
                precision=precision,
                layout=layout,
                device=device,
                answering=Answering(rank_label="label 1" if task.name == "rerank" else ""),
            )


def _name(spec: PipelineSpec) -> str:
    task = f"{spec.task}_pair" if spec.pair else spec.task
    return "-".join((task, spec.engine, spec.precision, spec.layout, spec.device))


COMBINATIONS = {_name(spec): spec for spec in _combinations()}


def graph_of(spec: PipelineSpec, compute: str) -> onnx.ModelProto:
    """The graph that a build makes for a pipeline."""
    head = TASKS[spec.task].head
    return _graph_of(head, spec.layout, compute, spec.max_length, spec.pair)


@functools.cache
def _graph_of(head: str, layout: str, compute: str, max_length: int, pair: bool) -> onnx.ModelProto:
    # Two scores of each token make one graph, whatever function comes after them.
    read = {"pointer": "span", "lexical": "vector", "token_vector": "vector"}.get(head, head)
    source = transformers_model("ernie", head=read)
    model = model_from_state(arrays_of(source), TRANSFORMERS, checkpoint_config(source), "here")
    if head == "lexical":
        weigh = Linear(weight=np.ones((HIDDEN, 1), np.float32), bias=np.zeros(1, np.float32))
        model = dataclasses.replace(model, head=LexicalHead(output=weigh))
    if head == "token_vector":
        project = Linear(weight=np.eye(HIDDEN, dtype=np.float32), bias=np.zeros(HIDDEN, np.float32))
        model = dataclasses.replace(model, head=TokenVectorHead(output=project))
    model = trim_model(model, max_length=max_length, pair=pair)
    return export_onnx(model, layout, Numerics(compute=compute))


def sizes_of(spec: PipelineSpec) -> ModelSizes:
    has_labels = TASKS[spec.task].head in ("sequence", "token")
    return ModelSizes(
        labels=tuple(f"label {index}" for index in range(LABELS)) if has_labels else (),
        hidden=VOCABULARY if spec.task == "cloze" else HIDDEN,
        lower_case=True,
        pad_token_id=0,
        vocabulary_size=60,
        token_types=4,
    )


@pytest.fixture(scope="module", params=COMBINATIONS)
def spec(request: pytest.FixtureRequest) -> PipelineSpec:
    return COMBINATIONS[request.param]


@pytest.fixture(scope="module")
def modes(spec: PipelineSpec) -> tuple[Configs, Configs]:
    """What a container reads, and what the embedded server reads."""
    files = pipeline_configs(spec, sizes_of(spec), LENGTHS)
    return in_containers(files), embedded(files)


def test_there_are_combinations_of_every_kind() -> None:
    assert len(COMBINATIONS) == 15 * 2 * (3 + 3 * 2 + 3)


def test_both_modes_are_consistent_and_fit_the_graph(
    spec: PipelineSpec, modes: tuple[Configs, Configs]
) -> None:
    graph = graph_of(spec, "fp32" if spec.precision in ("fp32", "bf16") else "fp16")
    for configs in modes:
        assert_links_agree(configs)
        engine = configs[spec.stage("engine")]
        if engine.backend == "python":
            _assert_python_engine_fits(spec, engine, graph)
        else:
            assert_engine_fits(engine, graph)
            fed = {tensor.name for tensor in engine.input}
            assert ("token_type_ids" in fed) == spec.pair
        _assert_batches_form(spec, configs)


def test_containers_run_native_engines_and_the_embedded_server_python_ones(
    spec: PipelineSpec, modes: tuple[Configs, Configs]
) -> None:
    in_container, in_embedded = (configs[spec.stage("engine")] for configs in modes)
    assert in_embedded.backend == "python"
    settings = EngineSettings.from_parameters(parameters_of(in_embedded))
    assert settings.engine == spec.engine
    assert (settings.precision, settings.layout) == (spec.precision, spec.layout)
    kinds = {"cpu": pb.ModelInstanceGroup.KIND_CPU, "gpu": pb.ModelInstanceGroup.KIND_GPU}
    assert [group.kind for group in in_container.instance_group] == [kinds[spec.device]]
    assert [group.kind for group in in_embedded.instance_group] == [kinds["cpu"]]
    assert in_container.backend == (spec.engine if spec.engine in NATIVE else "python")
    # What differs is the engine; nothing else is written twice.
    different = {name for name, config in modes[0].items() if config != modes[1][name]}
    assert different == ({spec.stage("engine")} if spec.engine in NATIVE else set())


def test_a_configuration_is_written_for_each_mode_of_native_engines_alone(
    spec: PipelineSpec,
) -> None:
    files = pipeline_configs(spec, sizes_of(spec), LENGTHS)
    twice = {model for model, texts in files.items() if len(texts) > 1}
    assert twice == ({spec.stage("engine")} if spec.engine in NATIVE else set())


def test_both_modes_keep_one_wire_contract_and_one_queue(
    spec: PipelineSpec, modes: tuple[Configs, Configs]
) -> None:
    for name in modes[0]:
        ours, theirs = (configs[name] for configs in modes)
        assert ours.max_batch_size == theirs.max_batch_size
        assert ours.version_policy == theirs.version_policy
        if not _runs_each_alone(spec, ours):
            assert ours.dynamic_batching == theirs.dynamic_batching
        assert tensors_of(ours.output) == tensors_of(theirs.output)
        assert not ours.response_cache.enable
    assert list(modes[0][spec.name].input) == list(modes[1][spec.name].input)


@pytest.mark.parametrize("name", [name for name in COMBINATIONS if "tensorrt" in name])
def test_a_plan_takes_whatever_the_tokenizer_may_emit(name: str) -> None:
    spec = COMBINATIONS[name]
    configs = in_containers(pipeline_configs(spec, sizes_of(spec), LENGTHS))
    graph = graph_of(spec, "fp16").graph
    inputs = {name: tuple(dims) for name, (_, dims) in graph_tensors(graph.input).items()}
    profile = profile_of(pipeline_shapes(spec), inputs)
    assert set(profile) == set(inputs)
    # Rows of one run, and tokens of one row, as the configurations allow them.
    rows = configs[spec.stage("engine")].max_batch_size
    longest = int(parameters_of(configs[spec.stage("tokenizer")])["max_length"])
    assert rows >= configs[spec.stage("tokenizer")].max_batch_size
    for tensor, shapes in profile.items():
        if spec.layout == "padded":
            assert shapes.least <= (1, 2)
            assert shapes.most == (rows, longest)
        elif tensor == "lengths":
            assert (shapes.least, shapes.most) == ((1,), (rows,))
        elif tensor == "width":
            # Of one request: as many rows as a run may have.
            assert shapes.least == (2,)
            assert shapes.most >= (rows * longest,)
        else:
            assert (shapes.least, shapes.most) == ((2,), (rows * longest,))


def _assert_python_engine_fits(
    spec: PipelineSpec, engine: pb.ModelConfig, graph: onnx.ModelProto
) -> None:
    """Our own stage packs or pads by itself, from rows whose lengths their padding tells."""
    inputs = graph_tensors(graph.graph.input)
    assert set(tensors_of(engine.input)) == set(inputs) - {"lengths", "width"}
    assert ("token_type_ids" in inputs) == spec.pair
    settings = EngineSettings.from_parameters(parameters_of(engine))
    assert settings.pair == spec.pair
    assert not engine.batch_input
    assert not engine.batch_output
    assert set(tensors_of(engine.output)) == set(graph_tensors(graph.graph.output))
    assert {"lengths", "width"} & set(inputs) == (
        {"lengths", "width"} if settings.layout == "packed" else set()
    )
    assert all(t.allow_ragged_batch == (-1 in t.dims) for t in engine.input)


def _runs_each_alone(spec: PipelineSpec, config: pb.ModelConfig) -> bool:
    """A padded engine on a CPU, which Triton's batcher would make wait wherever shapes change."""
    native = config.backend in NATIVE
    return native and spec.layout == "padded" and spec.device == "cpu"


def _assert_batches_form(spec: PipelineSpec, configs: Configs) -> None:
    """Where the server gathers requests, they are ragged or all of one shape."""
    engine = configs[spec.stage("engine")]
    settings = ExtractionSettings if TASKS[spec.task].asks_again else TokenizerSettings
    tokenizer = settings.from_parameters(parameters_of(configs[spec.stage("tokenizer")]))
    ragged = {tensor.name for tensor in engine.input if tensor.allow_ragged_batch}
    if _runs_each_alone(spec, engine):
        assert not engine.HasField("dynamic_batching")
        assert tokenizer.length_bucket == 8
    else:
        assert engine.HasField("dynamic_batching")
        one_shape = tokenizer.length_bucket == spec.max_length
        tokens = {"input_ids", "token_type_ids"} if spec.pair else {"input_ids"}
        assert ragged == tokens or (not ragged and one_shape)
    for tensor in configs[spec.stage("postprocess")].input:
        assert tensor.allow_ragged_batch == (-1 in tensor.dims)
    # A file of its own for every input that a warm-up sample needs.
    for sample in engine.model_warmup:
        assert set(sample.inputs) == {tensor.name for tensor in engine.input}
        assert len({given.input_data_file for given in sample.inputs.values()}) == len(engine.input)
