"""Extraction on the real server: PaddleNLP's answers, alone and among many requests."""

import asyncio
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ernie_triton.cli import main as ernie_triton
from ernie_triton.client.health import check
from ernie_triton.client.tasks.extraction import AsyncExtractionClient, Extraction, ExtractionClient
from ernie_triton.client.transport import Connection
from ernie_triton.client.wire import Endpoint
from ernie_triton.errors import ClientError, RequestRefusedError
from ernie_triton.server.embedded import EmbeddedServer
from tests.conftest import options_for
from tests.stages.uie_model import CASES, MAX_LENGTH, UIE, case_named, same_answer

pytestmark = pytest.mark.live

DEEP = ["mixed list", "three levels", "event", "relations", "sentiment", "prompt in full width"]


@pytest.fixture(scope="module")
def extraction_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """The checkpoint of the fixtures as an ensemble, and with its stages joined."""
    folder = tmp_path_factory.mktemp("uie")
    command = ["build", str(UIE), "--repository", str(folder), "--max-length", str(MAX_LENGTH)]
    small = ["--threads", "1", "--max-batch-size", "16"]
    assert ernie_triton([*command, *small, "--no-joined"]) == 0
    assert ernie_triton([*command, *small, "--name", "joined_uie"]) == 0
    with EmbeddedServer(options_for(folder)) as running:
        yield running


def as_json(found: Extraction) -> dict[str, Any]:
    """The structure that PaddleNLP returns."""
    answer: dict[str, Any] = {}
    for name, spans in found.items():
        answer[name] = []
        for span in spans:
            record: dict[str, Any] = {"text": span.text, "probability": span.probability}
            if not span.is_option:
                record |= {"start": span.start, "end": span.end}
            if span.relations:
                record["relations"] = as_json(span.relations)
            answer[name].append(record)
    return answer


@pytest.mark.parametrize("model", ["ernie_uie", "joined_uie"])
def test_answers_are_those_of_paddlenlp(extraction_server: EmbeddedServer, model: str) -> None:
    with ExtractionClient(extraction_server.url, model, timeout_s=60) as client:
        for name in DEEP:
            case = case_named(name)
            found = client.extract(case["texts"], case["schema"])
            for expected, answer in zip(case["results"], found, strict=True):
                assert same_answer(expected, as_json(answer)), name


def test_many_requests_of_other_schemas_change_no_answer(
    extraction_server: EmbeddedServer,
) -> None:
    texts = [text for case in CASES if isinstance(case["texts"], list) for text in case["texts"]]
    choose = random.Random(5)
    schemas: list[Any] = [case["schema"] for case in CASES]
    asked = [(choose.choice(texts), choose.choice(schemas)) for _ in range(80)]
    # Some are refused: their neighbours do not notice.
    asked += [("", ["人物"]), ("王芳", []), ("王芳", [5])] * 3 + [(texts[0], "人物")]
    choose.shuffle(asked)

    async def answers(*, at_once: bool) -> list[Any]:
        async with AsyncExtractionClient(extraction_server.url, timeout_s=120) as client:

            async def one(text: str, schema: Any) -> Any:
                try:
                    return (await client.extract([text], schema))[0]
                except ClientError as error:
                    return type(error), str(error).partition(" (request ")[0]

            if at_once:
                return list(await asyncio.gather(*(one(*pair) for pair in asked)))
            return [await one(*pair) for pair in asked]

    alone, together = asyncio.run(answers(at_once=False)), asyncio.run(answers(at_once=True))
    for pair, one, other in zip(asked, alone, together, strict=True):
        if isinstance(one, tuple):
            assert one == other, pair
        else:
            assert same_answer(as_json(one), as_json(other)), pair
    assert sum(isinstance(one, tuple) for one in alone) == 9


@pytest.mark.parametrize(
    ("text", "schema", "message"),
    [
        ("", ["人物"], "row 0 of the input 'text' is empty"),
        ("王芳", [5], "the schema has a number, '5'; expected a name, or an object of names"),
        ("王芳", {"a": [{"b": ["c"]}, 7]}, "the schema has a number under 'a', '7'"),
        ("王芳", [[]], "the schema has a list"),
        ("王芳", [str(number) for number in range(300)], "at most 256 names, 8 deep"),
    ],
)
def test_a_bad_request_is_refused_in_one_line(
    extraction_server: EmbeddedServer, text: str, schema: Any, message: str
) -> None:
    with (
        ExtractionClient(extraction_server.url) as client,
        pytest.raises(RequestRefusedError, match=message) as error,
    ):
        client.extract([text], schema)
    assert "\n" not in str(error.value)


def test_the_command_line_shows_relations_and_evaluates(
    extraction_server: EmbeddedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = case_named("relations")
    command = ["ask", "extraction", "--url", extraction_server.url]
    schema = json.dumps(case["schema"], ensure_ascii=False)
    text = case["texts"][0]
    assert ernie_triton([*command, "--schema", schema, "--text", text, "--json"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert same_answer(case["results"][0], json.loads(line)["result"])
    assert ernie_triton([*command, "--schema", "人物", "--text", text]) == 0
    assert "王芳" in capsys.readouterr().out
    labelled = {
        "text": text,
        "entities": [{"id": 1, "label": "人物", "start_offset": 0, "end_offset": 2}],
        "relations": [],
    }
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(labelled, ensure_ascii=False), encoding="utf-8")
    assert ernie_triton([*command, "--evaluate", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["f1"] == 1.0


def test_the_server_is_healthy(extraction_server: EmbeddedServer) -> None:
    connection = Connection(endpoint=Endpoint(url=extraction_server.url, model=""))
    assert check(connection, extraction_server.options.repository) == ["ernie_uie"]
