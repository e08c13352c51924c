"""Each endpoint answers with the clients' own results."""

from __future__ import annotations

import base64
import dataclasses
import json
import re

import numpy as np
import pytest

from ernie_triton.gateway.endpoints.table import ENDPOINTS
from ernie_triton.tasks import TASKS
from tests.client.fakes import SCORES
from tests.client.task_fakes import vector_model
from tests.gateway.fakes import URL, Caller, FakeServer, new_gateway


@pytest.fixture
def caller() -> Caller:
    return Caller(new_gateway({URL: FakeServer()}))


def test_embeddings_have_openai_s_shape(caller: Caller) -> None:
    answer = caller.post("/v1/embeddings", {"model": "ernie_embedding", "input": ["1 2", "3 4"]})
    assert answer.status == 200
    assert answer.json == {
        "object": "list",
        "model": "ernie_embedding",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [1.0, 2.0]},
            {"object": "embedding", "index": 1, "embedding": [3.0, 4.0]},
        ],
        "usage": {"prompt_tokens": 10, "total_tokens": 10},
    }


@pytest.mark.parametrize(
    ("path", "body"),
    [
        # openai 3.57, langchain-openai 1.7 and llama-index-embeddings-openai 0.6 send the same.
        (
            "/v1/embeddings",
            '{"model":"ernie_embedding","input":["1 2","3 4"],"encoding_format":"base64"}',
        ),
        # The clients of cohere 7.3.
        (
            "/v2/rerank",
            '{"model":"ernie_rerank","query":"ab","documents":["c","abab","a"],"top_n":3}',
        ),
        (
            "/v1/rerank",
            '{"model":"ernie_rerank","query":"ab","documents":["c","abab","a"],'
            '"return_documents":true}',
        ),
    ],
)
def test_real_clients_are_answered_as_they_ask(caller: Caller, path: str, body: str) -> None:
    answer = caller.post(path, body.encode(), accept_encoding="gzip, deflate, zstd")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    if path == "/v1/embeddings":
        assert [type(item["embedding"]) for item in answer.json["data"]] == [str, str]
    else:
        assert [one["index"] for one in answer.json["results"]] == [1, 2, 0]


def test_base64_holds_little_endian_float32(caller: Caller) -> None:
    body = {"input": "0.1 -2", "encoding_format": "base64", "dimensions": 2, "user": "me"}
    [item] = caller.post("/v1/embeddings", body).json["data"]
    vector = np.frombuffer(base64.b64decode(item["embedding"]), dtype="<f4")
    np.testing.assert_array_equal(vector, np.array([0.1, -2], dtype=np.float32))


def test_other_dimensions_are_refused_with_the_length_there_is(caller: Caller) -> None:
    answer = caller.post("/v1/embeddings", {"input": ["1 2"], "dimensions": 256})
    assert answer.status == 422
    assert "2 numbers" in answer.json["detail"]
    assert answer.json["mend"] == "leave `dimensions` out"


def test_token_ids_are_refused_with_the_option_that_langchain_has(caller: Caller) -> None:
    answer = caller.post("/v1/embeddings", {"input": [[101, 102]]})
    assert answer.status == 422
    answer = caller.post("/v1/embeddings", {"input": [101, 102]})
    assert "check_embedding_ctx_length=False" in answer.json["mend"]


def test_more_rows_than_a_model_takes_come_back_in_order(caller: Caller) -> None:
    texts = [f"{n} 0" for n in range(11)]
    data = caller.post("/v1/embeddings", {"input": texts}).json["data"]
    assert [item["embedding"][0] for item in data] == list(range(11))


def test_classify_gives_the_best_labels(caller: Caller) -> None:
    body = {"model": "ernie_seqcls", "input": "b", "top_k": 2}
    [result] = caller.post("/v1/classify", body).json["results"]
    assert [label["name"] for label in result["labels"]] == ["b:财经", "a:体育"]
    assert [label["score"] for label in result["labels"]] == list(SCORES[:2])
    assert result["truncated"] is False
    assert "likeliest" not in result


def test_classify_without_a_model_takes_the_default_of_the_first_task(caller: Caller) -> None:
    assert caller.post("/v1/classify", {"input": ["a"]}).json["model"] == "ernie_seqcls"


def test_classify_gives_every_label_of_a_multi_label_pipeline(caller: Caller) -> None:
    body = {"model": "ernie_multilabel", "input": ["ac", "x"], "top_k": 1}
    answer = caller.post("/v1/classify", body).json
    assert answer["task"] == "multi_label"
    names = [[label["name"][0] for label in one["labels"]] for one in answer["results"]]
    assert names == [["c", "a"], []]
    assert [len(one["likeliest"]) for one in answer["results"]] == [1, 1]


def test_entities_count_characters_of_the_text_as_sent(caller: Caller) -> None:
    [result] = caller.post("/v1/entities", {"input": "😀见ABC"}).json["results"]
    assert result["entities"] == [
        {"text": "ABC", "label": "LOC", "start": 2, "end": 5, "score": 0.75}
    ]


def test_one_context_serves_all_questions(caller: Caller) -> None:
    body = {"question": ["京", "海"], "context": "北京"}
    found, none = caller.post("/v1/answer", body).json["results"]
    assert (found["text"], found["start"], found["end"]) == ("京", 1, 2)
    assert (none["text"], none["start"]) == ("", -1)


def test_rerank_orders_documents_as_the_client_does(caller: Caller) -> None:
    documents = ["c", {"text": "abab", "title": "x"}, "a", "b"]
    body = {"query": "ab", "documents": documents, "top_n": 3, "return_documents": True}
    answer = caller.post("/v1/rerank", body)
    assert answer.json["results"] == [
        {"index": 1, "relevance_score": 2.0, "document": {"text": "abab"}},
        {"index": 2, "relevance_score": 0.5, "document": {"text": "a"}},
        {"index": 3, "relevance_score": 0.5, "document": {"text": "b"}},
    ]
    [best] = caller.post("/v1/rerank", {**body, "top_n": 1, "return_documents": False}).json[
        "results"
    ]
    assert best == {"index": 1, "relevance_score": 2.0}
    assert caller.post("/v2/rerank", body).json == answer.json


def test_choose_names_the_best_option_with_the_probability_of_each(caller: Caller) -> None:
    answer = caller.post("/v1/choose", {"context": "ab", "options": ["b", "aab"]})
    assert answer.json == {
        "model": "ernie_choice",
        "index": 1,
        "option": "aab",
        "probabilities": [0.25, 0.75],
        "scores": [1.0, 3.0],
        "truncated": [False, False],
    }
    assert caller.post("/v1/choose", {"context": "ab", "options": ["b"]}).status == 422


def test_fill_gives_each_mask_its_tokens(caller: Caller) -> None:
    body = {"input": ["[MASK]好[MASK]"], "top_k": 1, "candidates": ["a", "b"]}
    [result] = caller.post("/v1/fill", body).json["results"]
    token = {"token": "b", "token_id": 1, "probability": 0.75}
    assert result == {"masks": [[token], [token]], "truncated": False}


def test_sparse_gives_the_weights_without_padding(caller: Caller) -> None:
    first, second = caller.post("/v1/sparse", {"input": ["abb", "c"]}).json["results"]
    assert first == {"indices": [97, 98], "values": [0.5, 1.0], "truncated": False}
    assert second["indices"] == [99]


def test_colbert_gives_the_vectors_of_tokens_as_numbers_or_base64(caller: Caller) -> None:
    body = {"input": ["1,0 0,1", "0.5,0.25"]}
    first, second = caller.post("/v1/colbert", body).json["results"]
    assert first == {"vectors": [[1.0, 0.0], [0.0, 1.0]], "tokens": 2, "truncated": False}
    assert second["vectors"] == [[0.5, 0.25]]
    encoded = caller.post("/v1/colbert", {**body, "encoding_format": "base64"}).json["results"][0]
    numbers = np.frombuffer(base64.b64decode(encoded["vectors"]), "<f4").reshape(2, -1)
    assert numbers.tolist() == first["vectors"]


def test_extract_sends_the_schema_and_nests_what_is_found(caller: Caller) -> None:
    body = {"input": ["见A"], "schema": [{"人物": ["单位"]}]}
    [result] = caller.post("/v1/extract", body).json["results"]
    [found] = result["人物"]
    assert (found["text"], found["start"], found["end"]) == ("A", 1, 2)
    assert found["relations"]["schema"][0]["text"] == '[{"人物": ["单位"]}]'
    assert found["relations"]["schema"][0]["relations"] == {}


def test_score_takes_pairs(caller: Caller) -> None:
    body = {"input": ["2.5 a", "3 b"], "pair": ["x", "y"]}
    answer = caller.post("/v1/score", body)
    assert [one["value"] for one in answer.json["results"]] == [2.5, 3.0]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/v1/score", {"input": ["1"]}, "takes pairs of texts"),
        ("/v1/classify", {"input": ["a"], "pair": ["b"], "model": "ernie_seqcls"}, "takes single"),
        ("/v1/score", {"input": ["1", "2"], "pair": ["a", "b", "c"]}, "2 texts and `pair` 3"),
        ("/v1/classify", {"input": []}, "length >= 1"),
        ("/v1/classify", {"text": "a"}, "unknown field `text`"),
        ("/v1/classify", {"input": "a", "top_k": 0}, ">= 1"),
        ("/v1/entities", [], "Expected `object`, got `array`"),
    ],
)
def test_a_body_that_does_not_fit_is_refused_by_name(
    caller: Caller, path: str, body: object, said: str
) -> None:
    answer = caller.post(path, body)
    assert answer.status == 422
    assert said in answer.json["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_tokens_come_from_the_first_stage_by_the_ensemble_s_name_for_it(caller: Caller) -> None:
    body = {"model": "ernie_seqcls", "input": ["央行降息了", ""]}
    answer = caller.post("/tokenize", body)
    assert answer.json == caller.post("/v1/tokenize", body).json
    long, empty = answer.json["results"]
    assert (long["count"], long["truncated"], empty["count"]) == (6, True, 2)
    [text] = long["texts"]
    assert text["tokens"][:2] == ["央", "行"]
    assert (text["offsets"][4], text["read"]) == ([4, 5], 4)


def test_a_caller_who_asks_gets_the_mean_time_of_each_stage(caller: Caller) -> None:
    body = {"model": "ernie_seqcls", "input": "a"}
    assert "tokenizer" not in caller.post("/v1/classify", body).headers["server-timing"]
    timing = caller.post("/v1/classify", body, x_stage_times="1").headers["server-timing"]
    assert timing.endswith(', tokenizer;dur=1.50;desc="2"')


def test_tokens_of_a_pair_are_of_both_texts(caller: Caller) -> None:
    body = {"model": "ernie_qa", "input": "谁？", "pair": ["在北京", "在"]}
    assert caller.post("/v1/tokenize", body).status == 422
    [row] = caller.post("/v1/tokenize", {**body, "pair": "在北京"}).json["results"]
    assert ["".join(text["tokens"]) for text in row["texts"]] == ["谁？", "在北京"]


def test_an_older_build_says_that_it_cannot_show_tokens_and_has_no_usage() -> None:
    caller = Caller(new_gateway({URL: FakeServer(models={"ernie_embedding": vector_model()})}))
    refused = caller.post("/v1/tokenize", {"model": "ernie_embedding", "input": "1 2"})
    assert (refused.status, refused.json["mend"][:18]) == (501, "build the pipeline")
    assert "usage" not in caller.post("/v1/embeddings", {"input": "1 2"}).json


def test_every_task_has_an_endpoint() -> None:
    asked = {task.name for endpoint in ENDPOINTS.values() for task in endpoint.tasks}
    assert asked == set(TASKS)


@pytest.mark.parametrize("path", ENDPOINTS)
def test_the_document_describes_what_an_endpoint_answers_to_its_example(
    caller: Caller, path: str
) -> None:
    document = caller.get("/openapi.json").json
    operation = document["paths"][path]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    body = {**example, "input": ["1 2"]} if "input" in example else example
    answer = caller.post(path, body)
    assert answer.status == 200, answer.body
    shown = operation["responses"]["200"]["content"]["application/json"]
    _check(answer.json, shown["schema"], document["components"]["schemas"])
    _check(shown["example"], shown["schema"], document["components"]["schemas"])


def _check(value: object, schema: dict[str, object], known: dict[str, dict[str, object]]) -> None:
    """Compare members and their types; enough to see a schema of another type."""
    if "$ref" in schema:
        schema = known[str(schema["$ref"]).rpartition("/")[2]]
    if "anyOf" in schema:
        return
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "number": float}
    if (kind := kinds.get(str(schema.get("type")))) and kind is not float:
        assert isinstance(value, kind), (value, schema)
    properties = schema.get("properties")
    if isinstance(value, dict) and isinstance(properties, dict):
        required = schema.get("required", [])
        assert set(value) <= set(properties)
        assert isinstance(required, list)
        assert set(required) <= set(value)
        for name, member in value.items():
            _check(member, properties[name], known)
    if isinstance(value, list) and isinstance(items := schema.get("items"), dict):
        for member in value:
            _check(member, items, known)


def test_the_pipelines_are_listed_with_their_tasks(caller: Caller) -> None:
    data = caller.get("/v1/models").json["data"]
    assert {one["id"]: one["task"] for one in data} == {
        "ernie_seqcls": "seq_cls",
        "ernie_multilabel": "multi_label",
        "ernie_regression": "regression",
        "ernie_tokencls": "token_cls",
        "ernie_qa": "qa",
        "ernie_rerank": "rerank",
        "ernie_choice": "choice",
        "ernie_cloze": "cloze",
        "ernie_sparse": "sparse",
        "ernie_colbert": "colbert",
        "ernie_uie": "extraction",
        "ernie_embedding": "embedding",
    }
    one = caller.get("/v1/models/ernie_qa").json
    assert one["ready"] is True
    assert set(one["inputs"]) == {"question", "context"}


def test_the_answer_is_the_client_s_own_class_in_json(caller: Caller) -> None:
    from ernie_triton.client import Answer, Entity, Label, Score
    from ernie_triton.client.tasks.extraction import ExtractedSpan

    schemas = caller.get("/openapi.json").json["components"]["schemas"]
    for kind in (Answer, Entity, ExtractedSpan, Label, Score):
        fields = {field.name for field in dataclasses.fields(kind)}
        assert set(schemas[kind.__name__]["properties"]) == fields


def test_the_document_names_no_schema_that_is_not_there(caller: Caller) -> None:
    document = caller.get("/openapi.json").json
    named = re.findall(r"#/components/schemas/(\w+)", json.dumps(document))
    assert set(named) <= set(document["components"]["schemas"])
