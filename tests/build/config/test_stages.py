"""Each stage is told what it reads."""

import math

import pytest

from ernie_triton.build.config import pipeline_configs, ranking_label
from ernie_triton.build.flow import with_stage_instances
from ernie_triton.decoders.entities import EntitySettings
from ernie_triton.decoders.labels import LabelSettings
from ernie_triton.decoders.ranks import RankSettings
from ernie_triton.decoders.spans import AnswerSettings
from ernie_triton.decoders.vectors import VectorSettings
from ernie_triton.errors import PipelineError
from ernie_triton.pipeline import Answering, PipelineSpec
from ernie_triton.settings import EngineSettings, StageSettings, TokenizerSettings
from tests.build.config.configs import Configs, embedded, parameters_of
from tests.build.config.specs import LENGTHS, SIZES, SPECS
from tests.build.models import spec_of


def configs_of(spec: PipelineSpec) -> Configs:
    return embedded(pipeline_configs(spec, SIZES, LENGTHS))


def test_the_python_stages_have_the_processes_that_were_asked_for() -> None:
    spec = spec_of(engine="tensorrt", tokenizer_instances=3)
    counts = {
        name: config.instance_group[0].count
        for name, config in configs_of(spec).items()
        if config.instance_group
    }
    assert counts == {
        spec.stage("tokenizer"): 3,
        spec.stage("engine"): 1,
        spec.stage("postprocess"): 1,
    }


@pytest.mark.parametrize(("cores", "processes"), [(1, 1), (4, 1), (16, 4), (128, 8)])
def test_stages_around_a_gpu_have_a_share_of_the_cores_each(
    cores: int, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(cores)))
    found = with_stage_instances(spec_of(engine="tensorrt", postprocess_instances=5))
    assert (found.tokenizer_instances, found.postprocess_instances) == (processes, 5)
    on_cpu = spec_of(engine="onnxruntime")
    assert with_stage_instances(on_cpu) == on_cpu


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_parameters_are_the_stages_settings(spec: PipelineSpec) -> None:
    configs = configs_of(spec)
    tokenizer = TokenizerSettings.from_parameters(parameters_of(configs[spec.stage("tokenizer")]))
    assert tokenizer == TokenizerSettings(
        task=spec.task,
        pair=spec.pair,
        max_length=spec.max_length,
        lower_case=False,
        overlap=7 if spec is SPECS["per_token"] else spec.max_length // 4,
        max_windows=spec.answering.max_windows,
        # Of a C++ engine that is fed by Triton's own batcher, in containers.
        length_bucket=8 if spec is SPECS["seq_cls_pair"] else 1,
        max_waiting=spec.batching.max_queue_size,
        max_documents={"rerank": 100, "choice": 1024, "cloze": 64}.get(spec.task, 0),
        other_mask=SIZES.vocabulary_size - 1 if spec.task == "cloze" else 0,
    )
    engine = EngineSettings.from_parameters(parameters_of(configs[spec.stage("engine")]))
    assert engine == EngineSettings(
        task=spec.task,
        pair=spec.pair,
        engine=spec.engine,
        precision=spec.precision,
        layout=spec.layout,
        threads=spec.threads,
        max_length=spec.max_length,
        pad_token_id=3,
        vocabulary_size=18_000,
        token_types=2,
        tells_taken=spec.batching.max_queue_size > 0,
    )
    assert not configs[spec.name].parameters


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("seq_cls", LabelSettings(task="seq_cls", labels=3, thresholds=())),
        ("multi_label", LabelSettings(task="multi_label", labels=3, thresholds=(0.5, 0.25, 0.5))),
        ("regression", LabelSettings(task="regression", labels=3, thresholds=())),
        ("rerank", RankSettings(task="rerank", labels=3, ranked=1, activation="identity")),
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


@pytest.mark.parametrize(
    ("labels", "named", "place"),
    [
        (["relevance"], "", 0),
        (["LABEL_0", "LABEL_1"], "", 1),
        (["0", "1"], "0", 0),
        (["无关", "相关", "精确"], "相关", 1),
    ],
)
def test_the_label_that_ranks_is_the_only_one_or_1_or_the_one_named(
    labels: list[str], named: str, place: int
) -> None:
    assert ranking_label(labels, named) == place


@pytest.mark.parametrize(
    ("labels", "named", "message"),
    [
        (["蕴含", "矛盾"], "", "the labels 蕴含, 矛盾, and nothing says which one ranks"),
        (["0", "1", "2"], "", "name it with --rank-label"),
        (["a", "b"], "c", "rank_label is 'c'; expected one of the labels a, b"),
    ],
)
def test_a_label_that_nobody_named_ranks_nothing(
    labels: list[str], named: str, message: str
) -> None:
    with pytest.raises(PipelineError, match=message):
        ranking_label(labels, named)
