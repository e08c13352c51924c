"""Stages that are joined in one model answer as the ensemble of them does."""

from collections.abc import Iterator
from queue import Queue
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from ernie_triton.client.statistics import StatisticsClient
from ernie_triton.perf.running.joined_counts import joined_counts
from ernie_triton.server.embedded import EmbeddedServer
from ernie_triton.server.stage_processes import stage_processes
from ernie_triton.stage_names import PARTS
from tests.conftest import build_sample, options_for
from tests.live.requests import order_of_answers, text_tensor

pytestmark = pytest.mark.live

SHORT = "姚明回到上海，出席中国篮协的发布会。"
LONG = f"{SHORT}今天北京的天气很好。" * 40
MODELS = {
    "ernie_seqcls": ("tnews.toml", {"text": [SHORT, LONG, "", "abc 123"]}),
    "ernie_seqcls_pair": ("afqmc.toml", {"text": [SHORT, "怎么还款"], "text_pair": ["好", LONG]}),
    "ernie_rerank": ("rerank.toml", {"query": [SHORT, "怎么还款"], "documents": ["好", LONG]}),
    "ernie_tokencls": ("msra_ner.toml", {"text": [LONG, SHORT, "", "李娜在武汉"]}),
    "ernie_qa": ("cmrc2018.toml", {"question": ["谁出席？", "哪里？"], "context": [LONG, SHORT]}),
    "ernie_embedding": ("sentence_pairs.toml", {"text": [SHORT, "天气"]}),
}
"""By model: its pipeline, and a request; long texts are cut, or covered by windows."""


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server with the sample pipelines, each as one model."""
    repository = tmp_path_factory.mktemp("joined") / "models"
    for model, (pipeline, _) in MODELS.items():
        build_sample(pipeline, repository, "--joined", "--name", model)
    assert {folder.name for folder in repository.iterdir()} == set(MODELS)
    with EmbeddedServer(options_for(repository)) as running:
        yield running


def answered(url: str, model: str) -> dict[str, npt.NDArray[Any]]:
    """Every output of a model for its request."""
    client = triton.InferenceServerClient(url)
    tensors = [text_tensor(name, texts) for name, texts in MODELS[model][1].items()]
    result = client.infer(model, tensors)
    client.close()
    return {
        str(output.name): result.as_numpy(output.name) for output in result.get_response().outputs
    }


@pytest.mark.parametrize("model", MODELS)
def test_joined_stages_answer_as_the_ensemble(
    model: str, joined: EmbeddedServer, server: EmbeddedServer
) -> None:
    found, expected = answered(joined.url, model), answered(server.url, model)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].dtype == values.dtype
        if values.dtype == np.float32:
            np.testing.assert_allclose(found[name], values, atol=1e-6)
        else:
            np.testing.assert_array_equal(found[name], values)


def test_a_pipeline_is_one_process(joined: EmbeddedServer) -> None:
    assert sorted(stage_processes(joined.pid).values()) == sorted(MODELS)


def test_a_bad_request_is_refused_alone(joined: EmbeddedServer) -> None:
    client = triton.InferenceServerClient(joined.url)
    with pytest.raises(InferenceServerException, match="row 0 of the input 'text' is not UTF-8"):
        client.infer("ernie_seqcls", [text_tensor("text", [b"\xe4\xbd\xff"])])
    too_long = text_tensor("text", ["长" * 60_000])
    with pytest.raises(InferenceServerException, match="windows"):
        client.infer("ernie_tokencls", [too_long])
    assert client.infer("ernie_seqcls", [text_tensor("text", [SHORT])]).as_numpy("label").shape
    client.close()


def test_a_document_does_not_keep_a_short_text_waiting(joined: EmbeddedServer) -> None:
    for _ in range(20):
        assert order_of_answers(joined.url, "ernie_tokencls", [SHORT]) == [0]
    assert order_of_answers(joined.url, "ernie_tokencls", [LONG * 8, SHORT]) == [1, 0]


def test_what_clients_gave_up_is_not_computed(joined: EmbeddedServer) -> None:
    client = triton.InferenceServerClient(joined.url)
    rows, requests = 64, 300
    tensor = text_tensor("text", [LONG] * rows)
    before = _rows_computed(client)
    ended: Queue[InferenceServerException | None] = Queue()

    def end(result: object, error: InferenceServerException | None) -> None:
        del result
        ended.put(error)

    for _ in range(requests):
        client.async_infer("ernie_seqcls", [tensor], callback=end, client_timeout=0.2)
    errors = [ended.get(timeout=60) for _ in range(requests)]
    assert any(error is not None and "DEADLINE" in str(error.status()) for error in errors)
    client.infer("ernie_seqcls", [tensor])  # after all that is still computed
    assert _rows_computed(client) - before < rows * requests / 2
    client.close()


def test_the_metrics_tell_of_each_stage_what_the_statistics_tell_of_all(
    joined: EmbeddedServer,
) -> None:
    metrics_url = f"http://127.0.0.1:{joined.metrics_port}/metrics"
    model = "ernie_rerank"
    with StatisticsClient(joined.url, model) as statistics:
        parts_before = joined_counts(statistics, metrics_url, model)
        before = statistics.counts((model,))[model]
        for _ in range(20):
            answered(joined.url, model)
        parts_after = joined_counts(statistics, metrics_url, model)
        whole = statistics.counts((model,))[model].since(before)
    parts = {part: parts_after[part].since(parts_before[part]) for part in PARTS}
    assert {part.requests for part in parts.values()} == {whole.requests} == {20}
    assert {part.rows for part in parts.values()} == {40}
    assert all(part.compute_ns > 0 for part in parts.values())
    spent = [one.queue_ns + one.input_ns + one.compute_ns + one.output_ns for one in parts.values()]
    assert sum(spent) == pytest.approx(
        whole.queue_ns + whole.input_ns + whole.compute_ns + whole.output_ns
    )


def _rows_computed(client: triton.InferenceServerClient) -> int:
    [model] = client.get_inference_statistics("ernie_seqcls").model_stats
    return int(model.inference_count)
