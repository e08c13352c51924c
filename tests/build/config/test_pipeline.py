"""Every configuration is read back as Triton reads it; an ensemble's links have to agree."""

import dataclasses
import itertools
import json

import pytest
from tritonclient.grpc import model_config_pb2 as pb

from ernie_triton.build.config import WARM_UP_TEXTS, ModelSizes, pipeline_configs
from ernie_triton.pipeline import Answering, PipelineSpec
from ernie_triton.tasks import task_named
from tests.build.config.configs import Configs, assert_links_agree, embedded, tensors_of
from tests.build.config.specs import LENGTHS, SIZES, SPECS

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
    "rerank": (
        ["query", "documents"],
        {
            "scores": (pb.TYPE_FP32, [-1]),
            "order": (pb.TYPE_INT64, [-1]),
            "truncated": (pb.TYPE_BOOL, [-1]),
        },
    ),
    "choice": (
        ["context", "question", "options"],
        {
            "choice": (pb.TYPE_INT64, [1]),
            "probabilities": (pb.TYPE_FP32, [-1]),
            "scores": (pb.TYPE_FP32, [-1]),
            "truncated": (pb.TYPE_BOOL, [-1]),
        },
    ),
    "sparse": (
        ["text"],
        {"indices": (pb.TYPE_INT64, [-1]), "values": (pb.TYPE_FP32, [-1]), **_TRUNCATED},
    ),
    "colbert": (
        ["text"],
        {"vectors": (pb.TYPE_FP32, [-1, 24]), "count": (pb.TYPE_INT32, [1]), **_TRUNCATED},
    ),
    "cloze": (["text", "parameters"], {"fills": (pb.TYPE_STRING, [1]), **_TRUNCATED}),
    "token_cls": (["text"], _ENTITIES),
    "per_token": (["text"], _ENTITIES | {"tokens": (pb.TYPE_STRING, [1])}),
    "qa": (["question", "context"], _ANSWERS),
    "qa_no_answer": (["question", "context"], _ANSWERS),
    "embedding": (["text"], _VECTORS),
    "raw_vectors": (["text"], _VECTORS),
}
"""Inputs and outputs of each ensemble, as the design's table has them."""


def configs_of(spec: PipelineSpec, sizes: ModelSizes = SIZES) -> Configs:
    """As the embedded server reads them, where every stage is our Python backend."""
    return embedded(pipeline_configs(spec, sizes, LENGTHS))


def token_names(spec: PipelineSpec) -> set[str]:
    """What the engine reads: a single text's tokens all have the first type."""
    return {"input_ids", "token_type_ids"} if spec.pair else {"input_ids"}


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
    assert tensors_of(ensemble.input) == {
        text: (pb.TYPE_STRING, [-1 if text in ("documents", "options") else 1]) for text in texts
    }
    assert tensors_of(ensemble.output) == results
    # For Triton's classification extension.
    named = {tensor.name for tensor in ensemble.output if tensor.label_filename == "labels.txt"}
    assert named == ({"scores"} & set(results) if "label" in results else set())
    assert {tensor.label_filename for tensor in ensemble.output} <= {"", "labels.txt"}


def test_rows_of_any_length_share_an_engine_run_whose_tensors_are_int32(
    spec: PipelineSpec, configs: Configs
) -> None:
    engine = configs[spec.stage("engine")]
    assert {t.name: (t.data_type, list(t.dims), t.allow_ragged_batch) for t in engine.input} == {
        name: (pb.TYPE_INT32, [-1], True) for name in token_names(spec)
    }


def test_the_tokenizer_hands_over_token_types_for_pairs_alone(
    spec: PipelineSpec, configs: Configs
) -> None:
    windows = {"spans", "window", "source"}
    parts = {"truncated", "query_row"}
    others = {
        **dict.fromkeys(("token_cls", "qa"), windows),
        **dict.fromkeys(("rerank", "choice"), parts),
        "cloze": {*parts, "asked"},
        "sparse": {"truncated", "weighted_ids"},
        "colbert": {"truncated", "row_tokens"},
    }
    outputs = {tensor.name for tensor in configs[spec.stage("tokenizer")].output}
    sent = outputs - {"tokenization", "token_count"}
    assert len(sent) == len(outputs) - 2
    assert sent == token_names(spec) | others.get(spec.task, {"truncated"})


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
    [
        ("seq_cls_pair", 8),
        ("rerank", 100),
        ("token_cls", 256),
        ("per_token", 100),
        ("qa_no_answer", 64),
    ],
)
def test_the_stages_after_the_tokenizer_take_every_window_of_a_request(
    name: str, rows: int
) -> None:
    spec = SPECS[name]
    sizes = [config.max_batch_size for config in configs_of(spec).values()]
    texts = spec.batching.max_batch_size
    assert sizes == [texts, texts, rows, rows]


def test_every_stage_is_one_instance_that_gathers_requests(
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
        # Company is waited for once, before the first stage.
        waits = name == spec.stage("tokenizer")
        expected = spec.batching.max_queue_delay_us if waits else 0
        assert batching.max_queue_delay_microseconds == expected
        assert not batching.default_queue_policy.max_queue_size


def test_an_ensemble_has_no_queue_policy_at_all(spec: PipelineSpec, configs: Configs) -> None:
    """Triton's batcher prepares the next batch while one runs only where there is none.

    A bound is the tokenizer's, and the engine's stage tells it what it takes.
    """
    for name, config in configs.items():
        assert config.HasField("dynamic_batching") == (name != spec.name)
        assert not config.dynamic_batching.HasField("default_queue_policy")
    parameters = configs[spec.stage("tokenizer")].parameters
    most = parameters["max_waiting"].string_value if "max_waiting" in parameters else ""
    assert int(most or 0) == spec.batching.max_queue_size


def test_warm_up_gives_every_input_of_the_stage_a_file_of_its_own(
    spec: PipelineSpec, configs: Configs
) -> None:
    fewest = task_named(spec.task).fewest
    for part, lengths in (("tokenizer", (fewest, fewest)), ("engine", LENGTHS)):
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


def test_requests_with_any_number_of_documents_share_a_run_of_the_tokenizer() -> None:
    spec = SPECS["rerank"]
    tensors = configs_of(spec)[spec.stage("tokenizer")].input
    assert {t.name: t.allow_ragged_batch for t in tensors} == {"query": False, "documents": True}


@pytest.mark.parametrize("joined", [False, True])
def test_prompts_are_stated_to_clients_unless_the_pipeline_puts_its_own(joined: bool) -> None:
    sizes = dataclasses.replace(SIZES, prompts={"query": "查询：", "document": ""})
    spec = dataclasses.replace(SPECS["embedding"], joined=joined)
    stated = configs_of(spec, sizes)[spec.name].parameters["prompts"].string_value
    assert json.loads(stated) == {"query": "查询：", "document": ""}
    own = dataclasses.replace(spec, answering=Answering(prompt="查询："))
    assert "prompts" not in configs_of(own, sizes)[own.name].parameters
