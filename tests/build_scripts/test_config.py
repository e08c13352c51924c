"""Every configuration is read back as Triton reads it; an ensemble's links have to agree."""

import itertools
import math

import pytest
from tritonclient.grpc import model_config_pb2 as pb

from build_scripts.config import WARM_UP_TEXTS, ModelSizes, pipeline_configs
from ernie_triton.decoders.entities import EntitySettings
from ernie_triton.decoders.labels import LabelSettings
from ernie_triton.decoders.spans import AnswerSettings
from ernie_triton.decoders.vectors import VectorSettings
from ernie_triton.errors import PipelineError
from ernie_triton.pipeline import Answering, Batching, PipelineSpec
from ernie_triton.stage_settings import EngineSettings, StageSettings, TokenizerSettings
from tests.build_scripts.configs import (
    Configs,
    assert_links_agree,
    parameters_of,
    parsed,
    tensors_of,
)
from tests.build_scripts.models import spec_of

LABELS = ("财经", "体育", "娱乐")
SIZES = ModelSizes(
    labels=LABELS,
    hidden=24,
    lower_case=False,
    pad_token_id=3,
    vocabulary_size=18_000,
    token_types=2,
)
SMALL = Batching(max_batch_size=8, max_queue_delay_us=500, max_queue_size=3)
SPECS = {
    "seq_cls": spec_of(name="titles", threads=4, precision="bf16", max_length=64),
    "seq_cls_pair": spec_of(pair=True, engine="onnxruntime", layout="padded", batching=SMALL),
    "multi_label": spec_of(task="multi_label", answering=Answering(thresholds={"体育": 0.25})),
    "regression": spec_of(task="regression", pair=True),
    "token_cls": spec_of(task="token_cls", max_length=100, batching=SMALL),
    "per_token": spec_of(
        task="token_cls", answering=Answering(overlap=7, max_windows=100, per_token=True)
    ),
    "qa": spec_of(task="qa"),
    "qa_no_answer": spec_of(
        task="qa",
        answering=Answering(max_windows=4, max_answer_tokens=9, n_best=2, no_answer_threshold=-1.5),
    ),
    "embedding": spec_of(task="embedding"),
    "raw_vectors": spec_of(task="embedding", answering=Answering(normalize=False)),
}
LENGTHS = (5, 40)
_LABEL_RESULTS = {
    "label": (pb.TYPE_INT64, [1]),
    "confidence": (pb.TYPE_FP32, [1]),
    "label_name": (pb.TYPE_STRING, [1]),
    "scores": (pb.TYPE_FP32, [3]),
}
_TRUNCATED = {"truncated": (pb.TYPE_BOOL, [1])}
_ENTITIES = {"OUTPUT": (pb.TYPE_STRING, [1])}
_ANSWERS = {
    "answer": (pb.TYPE_STRING, [1]),
    "score": (pb.TYPE_FP32, [1]),
    "span": (pb.TYPE_INT64, [2]),
    "n_best": (pb.TYPE_STRING, [1]),
}
_VECTORS = {"embedding": (pb.TYPE_FP32, [24]), **_TRUNCATED}
WIRE = {
    "seq_cls": (["text"], _LABEL_RESULTS | _TRUNCATED),
    "seq_cls_pair": (["text", "text_pair"], _LABEL_RESULTS | _TRUNCATED),
    "multi_label": (["text"], _LABEL_RESULTS | {"selected": (pb.TYPE_BOOL, [3])} | _TRUNCATED),
    "regression": (["text", "text_pair"], {"score": (pb.TYPE_FP32, [1]), **_TRUNCATED}),
    "token_cls": (["text"], _ENTITIES),
    "per_token": (["text"], _ENTITIES | {"tokens": (pb.TYPE_STRING, [1])}),
    "qa": (["question", "context"], _ANSWERS),
    "qa_no_answer": (["question", "context"], _ANSWERS),
    "embedding": (["text"], _VECTORS),
    "raw_vectors": (["text"], _VECTORS),
}
"""Inputs and outputs of each ensemble, as the design's table has them."""


def configs_of(spec: PipelineSpec) -> Configs:
    texts = pipeline_configs(spec, SIZES, LENGTHS)
    return {name: parsed(text) for name, text in texts.items()}


@pytest.fixture(params=SPECS)
def spec(request: pytest.FixtureRequest) -> PipelineSpec:
    return SPECS[request.param]


@pytest.fixture
def configs(spec: PipelineSpec) -> Configs:
    return configs_of(spec)


def test_a_pipeline_is_an_ensemble_and_its_three_stages(
    spec: PipelineSpec, configs: Configs
) -> None:
    parts = ("tokenizer", "engine", "postprocess")
    assert list(configs) == [spec.name, *(f"{spec.name}_{part}" for part in parts)]
    assert all(config.name == name for name, config in configs.items())
    assert [config.platform for config in configs.values()] == ["ensemble", "", "", ""]
    assert [config.backend for config in configs.values()] == ["", "python", "python", "python"]
    steps = configs[spec.name].ensemble_scheduling.step
    assert [step.model_name for step in steps] == list(configs)[1:]
    assert {step.model_version for step in steps} == {-1}


def test_every_link_agrees_in_name_type_and_shape(configs: Configs) -> None:
    assert_links_agree(configs)


@pytest.mark.parametrize("name", SPECS)
def test_the_ensemble_keeps_the_wire_contract(name: str) -> None:
    ensemble = configs_of(SPECS[name])[SPECS[name].name]
    texts, results = WIRE[name]
    assert tensors_of(ensemble.input) == {text: (pb.TYPE_STRING, [1]) for text in texts}
    assert tensors_of(ensemble.output) == results
    # For Triton's classification extension.
    named = {tensor.name for tensor in ensemble.output if tensor.label_filename == "labels.txt"}
    assert named == {"scores"} & set(results)
    assert {tensor.label_filename for tensor in ensemble.output} <= {"", "labels.txt"}


def test_rows_of_any_length_share_an_engine_run_whose_tensors_are_int32(
    spec: PipelineSpec, configs: Configs
) -> None:
    engine = configs[spec.stage("engine")]
    assert {t.name: (t.data_type, list(t.dims), t.allow_ragged_batch) for t in engine.input} == {
        "input_ids": (pb.TYPE_INT32, [-1], True),
        "token_type_ids": (pb.TYPE_INT32, [-1], True),
        "lengths": (pb.TYPE_INT32, [1], False),
    }


@pytest.mark.parametrize(
    ("name", "ragged"),
    [
        ("seq_cls", set()),
        ("multi_label", set()),
        ("regression", set()),
        ("token_cls", {"logits", "spans"}),
        ("qa", {"start_logits", "end_logits", "spans"}),
        ("embedding", set()),
    ],
)
def test_what_has_a_length_of_its_own_may_be_ragged_after_the_engine_too(
    name: str, ragged: set[str]
) -> None:
    spec = SPECS[name]
    configs = configs_of(spec)
    tensors = configs[spec.stage("postprocess")].input
    assert {tensor.name for tensor in tensors if tensor.allow_ragged_batch} == ragged
    others = (configs[spec.name], configs[spec.stage("tokenizer")])
    inputs = itertools.chain.from_iterable(config.input for config in others)
    assert not any(tensor.allow_ragged_batch for tensor in inputs)


@pytest.mark.parametrize(
    ("name", "rows"),
    [("seq_cls_pair", 8), ("token_cls", 256), ("per_token", 100), ("qa_no_answer", 64)],
)
def test_the_stages_after_the_tokenizer_take_every_window_of_a_request(
    name: str, rows: int
) -> None:
    spec = SPECS[name]
    sizes = [config.max_batch_size for config in configs_of(spec).values()]
    texts = spec.batching.max_batch_size
    assert sizes == [texts, texts, rows, rows]


def test_every_stage_is_one_instance_with_a_bounded_queue(
    spec: PipelineSpec, configs: Configs
) -> None:
    for name, config in configs.items():
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


def test_parameters_are_the_stages_settings(spec: PipelineSpec, configs: Configs) -> None:
    tokenizer = TokenizerSettings.from_parameters(parameters_of(configs[spec.stage("tokenizer")]))
    assert tokenizer == TokenizerSettings(
        task=spec.task,
        pair=spec.pair,
        max_length=spec.max_length,
        lower_case=False,
        overlap=7 if spec is SPECS["per_token"] else spec.max_length // 4,
        max_windows=spec.answering.max_windows,
    )
    engine = EngineSettings.from_parameters(parameters_of(configs[spec.stage("engine")]))
    assert engine == EngineSettings(
        task=spec.task,
        engine=spec.engine,
        precision=spec.precision,
        layout=spec.layout,
        threads=spec.threads,
        max_length=spec.max_length,
        pad_token_id=3,
        vocabulary_size=18_000,
        token_types=2,
    )
    assert not configs[spec.name].parameters


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("seq_cls", LabelSettings(task="seq_cls", labels=3, thresholds=())),
        ("multi_label", LabelSettings(task="multi_label", labels=3, thresholds=(0.5, 0.25, 0.5))),
        ("regression", LabelSettings(task="regression", labels=3, thresholds=())),
        ("token_cls", EntitySettings(task="token_cls", labels=3, per_token=False)),
        ("per_token", EntitySettings(task="token_cls", labels=3, per_token=True)),
        (
            "qa",
            AnswerSettings(task="qa", max_answer_tokens=64, n_best=5, no_answer_threshold=math.inf),
        ),
        (
            "qa_no_answer",
            AnswerSettings(task="qa", max_answer_tokens=9, n_best=2, no_answer_threshold=-1.5),
        ),
        ("embedding", VectorSettings(task="embedding", normalize=True)),
        ("raw_vectors", VectorSettings(task="embedding", normalize=False)),
    ],
)
def test_the_postprocess_stage_is_told_what_its_decoder_reads(
    name: str, expected: StageSettings
) -> None:
    config = configs_of(SPECS[name])[SPECS[name].stage("postprocess")]
    assert type(expected).from_parameters(parameters_of(config)) == expected


def test_thresholds_of_labels_go_before_the_default_for_the_others() -> None:
    answering = Answering(thresholds={"娱乐": 0.9, "default": 0.2})
    spec = spec_of(task="multi_label", answering=answering)
    config = configs_of(spec)[spec.stage("postprocess")]
    assert parameters_of(config)["thresholds"] == "0.2,0.2,0.9"


def test_a_threshold_of_a_label_that_the_model_does_not_have_is_refused() -> None:
    spec = spec_of(task="multi_label", answering=Answering(thresholds={"体肓": 0.3}))
    expected = (
        "thresholds name 体肓, which the model does not have; its labels are 财经, 体育, 娱乐"
    )
    with pytest.raises(PipelineError, match=expected):
        pipeline_configs(spec, SIZES, LENGTHS)


def test_warm_up_gives_every_input_of_the_stage_a_file_of_its_own(
    spec: PipelineSpec, configs: Configs
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
    first, second = (pipeline_configs(SPECS["qa"], SIZES, LENGTHS) for _ in range(2))
    assert first == second
