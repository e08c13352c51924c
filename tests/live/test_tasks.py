"""Entities, answers and vectors through the real server."""

import ast
import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton

from ernie_triton.client.tasks.embedding import EmbeddingClient
from ernie_triton.client.tasks.qa import AsyncQaClient, QaClient
from ernie_triton.client.tasks.token_cls import TokenClsClient
from ernie_triton.server.embedded import EmbeddedServer
from tests.live.requests import engine_runs, text_tensor

pytestmark = pytest.mark.live

FACT = "济阳黄河大桥位于山东省济南市，全长2023米，于1982年建成通车。"
SENTENCES = 170
FILLER = "今天的天气很好，大家都出门散步去了。"


def test_a_client_of_paddlenlp_reads_the_entities_unchanged(server: EmbeddedServer) -> None:
    texts = ["张伟在北京大学读书。", "天气不错", "李娜从上海去了广州，又去了深圳", ""]
    client = triton.InferenceServerClient(server.url)
    for batch in (texts, texts[:1], [texts[1]], texts[:1] * 3):
        result = client.infer("ernie_tokencls", [text_tensor("text", batch)])
        output = result.as_numpy("OUTPUT")
        assert len(output) == len(batch)
        for text, element in zip(batch, output, strict=True):
            for entity in ast.literal_eval(element.decode("utf-8")):
                first, last = entity["pos"]
                assert text[first : last + 1] == entity["entity"]
                assert entity["label"] in {"PER", "ORG", "LOC"}
    client.close()


def test_entities_stand_where_they_are_said_to_whatever_the_text_holds(
    server: EmbeddedServer,
) -> None:
    texts = [
        "😀张伟 在　北京Ｈｏｔｅｌ遇见 Tom",
        "e\u0301张伟\u200b住\u0000在上海\ufffd市",
        "IBM中国公司的李娜,café,2024年",
        "“" * 90 + "王芳在广州",
    ]
    with TokenClsClient(server.url) as client:
        for text, entities in zip(texts, client.entities(texts), strict=True):
            for entity in entities:
                assert text[entity.start : entity.end] == entity.text
                assert entity.text.strip()


def test_a_text_of_5000_characters_has_the_entities_of_its_sentences(
    server: EmbeddedServer,
) -> None:
    sentences = ["新华社记者王芳从上海报道。", "外交部发言人昨日访问德国。", "会议在北京召开。"]
    text = "".join(sentences * SENTENCES)
    assert len(text) > 5000
    with TokenClsClient(server.url) as client:
        (found,) = client.entities([text])
        alone = client.entities(sentences)
    expected = []
    place = 0
    for number in range(len(sentences) * SENTENCES):
        sentence = sentences[number % len(sentences)]
        expected += [(place + e.start, place + e.end) for e in alone[number % len(sentences)]]
        place += len(sentence)
    spans = {(entity.start, entity.end) for entity in found}
    assert len(spans) == len(found)  # nothing twice at the seams
    assert all(text[entity.start : entity.end] == entity.text for entity in found)
    # The sample model lets a neighbouring sentence change some decisions, wherever it stands; that
    # a window's edge changes none is the claim of tests/decoders/test_window_merging.py.
    assert len(spans & set(expected)) > 0.8 * len(expected)


@pytest.mark.parametrize("characters", [50, 500, 5000])
def test_an_answers_place_cuts_the_answer_out_of_the_context(
    server: EmbeddedServer, characters: int
) -> None:
    half = FILLER * (characters // (2 * len(FILLER)))
    context = half + FACT + half
    with QaClient(server.url) as client:
        (answer,) = client.answer(["大桥全长多少米？"], [context])
    places = [(answer.text, answer.start, answer.end)]
    places += [(other.text, other.start, other.end) for other in answer.candidates]
    for text, start, end in places:
        assert text == (context[start:end] if start >= 0 else "")


def test_windows_of_32_long_requests_share_engine_runs(server: EmbeddedServer) -> None:
    contexts = [FILLER * (20 + number) + FACT for number in range(32)]

    async def ask_all() -> list[str]:
        async with AsyncQaClient(server.url, timeout_s=120) as client:
            asked = [client.answer(["大桥位于哪里？"], [context]) for context in contexts]
            return [answers[0].text for answers in await asyncio.gather(*asked)]

    answered_before, runs_before = engine_runs(server.url, "ernie_qa")
    together = asyncio.run(ask_all())
    answered, runs = engine_runs(server.url, "ernie_qa", requests=answered_before + 32)
    assert answered - answered_before == 32
    assert runs - runs_before < 32 / 2
    with QaClient(server.url, timeout_s=120) as client:
        alone = [client.answer(["大桥位于哪里？"], [context])[0].text for context in contexts]
    assert together == alone


def test_a_request_of_too_many_windows_says_how_many(server: EmbeddedServer) -> None:
    with (
        TokenClsClient(server.url) as client,
        pytest.raises(Exception, match=r"windows of 128 tokens; at most 256 are allowed"),
    ):
        client.entities(["北" * 40_000])


def test_vectors_have_length_1_and_paraphrases_are_nearer(server: EmbeddedServer) -> None:
    with EmbeddingClient(server.url) as client:
        vectors = client.embed(["花呗怎么提前还款", "花呗可以提前还清吗", "如何修改登录密码"])
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_tokenizer_and_postprocess_stages_stay_under_150_mb(server: EmbeddedServer) -> None:
    memory = {}
    for task in Path(f"/proc/{server.pid}/task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            command = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
            model = next((Path(p).parts[-3] for p in command if p.endswith("/model.py")), None)
            status = Path(f"/proc/{child}/status").read_text(encoding="utf-8")
            if model is not None:
                (line,) = [entry for entry in status.splitlines() if entry.startswith("VmRSS")]
                memory[model] = int(line.split()[1]) / 1000
    light = {m: mb for m, mb in memory.items() if m.endswith(("_tokenizer", "_postprocess"))}
    assert len(light) >= 14, json.dumps(memory)
    assert max(light.values()) < 150, json.dumps(memory, indent=1)
