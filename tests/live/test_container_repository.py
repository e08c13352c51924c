"""A repository built for containers: one engine file, two servers, the answers of OpenVINO's."""

import asyncio
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio

from ernie_triton.server.embedded import EmbeddedServer
from tests.conftest import build_sample, options_for
from tests.live.container_server import ContainerServer
from tests.live.requests import engine_runs, text_tensor

pytestmark = pytest.mark.live

PIPELINES = {
    "entities_packed": ("msra_ner", "packed", "ernie_tokencls"),
    "answers_padded": ("cmrc2018", "padded", "ernie_qa"),
    "vectors_packed": ("sentence_pairs", "packed", "ernie_embedding"),
}
"""The sample, the layout, and the default pipeline of that sample, which OpenVINO serves."""

REQUESTS = 120
Answer = dict[str, npt.NDArray[Any]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pipelines with the engine `onnxruntime`."""
    repository = tmp_path_factory.mktemp("containers") / "models"
    for name, (sample, layout, _) in PIPELINES.items():
        options = ("--name", name, "--engine", "onnxruntime", "--layout", layout)
        build_sample(f"{sample}.toml", repository, *options)
    return repository


@pytest.fixture(scope="module")
def container(built: Path) -> Iterator[EmbeddedServer]:
    """What a container's server makes of the repository."""
    with ContainerServer(options_for(built)) as running:
        yield running


@pytest.fixture(scope="module")
def embedded(built: Path) -> Iterator[EmbeddedServer]:
    """The same repository in the embedded server, through its `configs/embedded.pbtxt`."""
    with EmbeddedServer(options_for(built)) as running:
        yield running


def requests_of(model: str, seed: int) -> list[list[list[str]]]:
    """Requests of 1 to 3 rows; texts of 0 to 298 characters, so of 2 tokens and more."""
    rng = random.Random(seed)
    alphabet = [chr(code) for code in range(0x4E00, 0x4E00 + 800)] + list("张伟在北京大学， ab1")
    names = 2 if model == "answers_padded" else 1

    def text() -> str:
        return "".join(rng.choices(alphabet, k=rng.choice((rng.randint(0, 40), 298))))

    return [
        [[text() for _ in range(rows)] for _ in range(names)]
        for rows in (rng.randint(1, 3) for _ in range(REQUESTS))
    ]


def tensors_of(columns: Sequence[Sequence[str]]) -> list[Any]:
    names = ("question", "context") if len(columns) == 2 else ("text",)
    return [text_tensor(name, texts) for name, texts in zip(names, columns, strict=True)]


def answers_of(result: Any) -> Answer:
    return {tensor.name: result.as_numpy(tensor.name) for tensor in result.get_response().outputs}


async def all_at_once(url: str, model: str, requests: list[list[list[str]]]) -> list[Answer]:
    async with triton_aio.InferenceServerClient(url) as client:
        asked = [client.infer(model, tensors_of(columns)) for columns in requests]
        return [answers_of(result) for result in await asyncio.gather(*asked)]


def one_by_one(url: str, model: str, requests: list[list[list[str]]]) -> list[Answer]:
    """Each row by itself, the rows of a request put together again."""
    answers = []
    client = triton.InferenceServerClient(url)
    for columns in requests:
        rows = [
            answers_of(client.infer(model, tensors_of([[text] for text in row])))
            for row in zip(*columns, strict=True)
        ]
        answers.append({name: np.concatenate([row[name] for row in rows]) for name in rows[0]})
    client.close()
    return answers


def assert_same(found: Sequence[Answer], expected: Sequence[Answer]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.keys() == theirs.keys()
        for name, values in ours.items():
            assert values.shape == theirs[name].shape, name
            if values.dtype == np.object_:
                pairs = zip(values.reshape(-1), theirs[name].reshape(-1), strict=True)
                assert all(_plain(one) == _plain(other) for one, other in pairs), name
            else:
                np.testing.assert_allclose(values, theirs[name], rtol=0, atol=1e-4, err_msg=name)


def _plain(value: bytes) -> object:
    """JSON with its scores as numbers that may differ a little; other strings as they are."""
    text = value.decode("utf-8")
    if not text.startswith("["):
        return text
    return [
        {
            key: pytest.approx(item, abs=1e-4) if key == "score" else item
            for key, item in entry.items()
        }
        for entry in json.loads(text)
    ]


@pytest.mark.parametrize("model", PIPELINES)
def test_the_embedded_server_answers_as_openvino_does(
    embedded: EmbeddedServer, server: EmbeddedServer, model: str
) -> None:
    requests = requests_of(model, seed=1)
    found = asyncio.run(all_at_once(embedded.url, model, requests))
    expected = asyncio.run(all_at_once(server.url, PIPELINES[model][2], requests))
    assert_same(found, expected)


@pytest.mark.parametrize("model", PIPELINES)
def test_a_container_answers_requests_in_flight_as_each_row_by_itself(
    container: EmbeddedServer, model: str
) -> None:
    requests = requests_of(model, seed=2)
    answered_before, runs_before = engine_runs(container.url, model)
    together = asyncio.run(all_at_once(container.url, model, requests))
    answered, runs = engine_runs(container.url, model, requests=answered_before + REQUESTS)
    assert answered - answered_before == REQUESTS
    if PIPELINES[model][1] == "packed":
        assert runs - runs_before < REQUESTS / 2
    else:  # without a batcher, which would wait at every change of shape
        assert runs - runs_before == REQUESTS
    assert_same(together, one_by_one(container.url, model, requests))
