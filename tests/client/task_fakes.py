"""Models in memory for the other tasks, whose answers a reader can check by eye."""

from __future__ import annotations

import json
import re

import numpy as np

from ernie_triton.client.wire import InferRequest, ModelFacts, RequestedOutput
from tests.client.fakes import Array, FakeModel

LABELS = ("a:体育", "b:财经", "c:娱乐")


def entity_model(*, with_tokens: bool = True) -> FakeModel:
    """Runs of capitals are entities: LOC from A on, else PER; every character is a word."""
    outputs: dict[str, tuple[int, ...]] = {"OUTPUT": (1,)}
    if with_tokens:
        outputs["tokens"] = (1,)
    facts = ModelFacts(max_batch_size=4, inputs=("text",), outputs=outputs)
    return FakeModel(facts=facts, tensor=_entity_tensor)


def _entity_tensor(request: InferRequest, output: RequestedOutput) -> Array:
    make = {"OUTPUT": _entities, "tokens": _tokens}[output.name]
    cells = [json.dumps(make(text.decode())).encode() for text in request.columns["text"]]
    # OUTPUT is [rows], as PaddleNLP's client expects it; tokens is [rows, 1].
    tensor = np.array(cells, dtype=np.object_)
    return tensor if output.name == "OUTPUT" else tensor.reshape(-1, 1)


def _entities(text: str) -> list[dict[str, object]]:
    return [
        {
            "pos": [match.start(), match.end() - 1],
            "entity": match[0],
            "label": "LOC" if match[0].startswith("A") else "PER",
            "score": 0.75,
        }
        for match in re.finditer("[A-Z]+", text)
    ]


def _tokens(text: str) -> list[dict[str, object]]:
    return [
        {"pos": [at, at], "token": one, "label": "B-LOC" if one.isupper() else "O", "score": 0.5}
        for at, one in enumerate(text)
    ]


def qa_model() -> FakeModel:
    """The answer is where the question's last character stands in the context; else none."""
    outputs = {"answer": (1,), "score": (1,), "span": (2,), "n_best": (1,)}
    facts = ModelFacts(max_batch_size=4, inputs=("context", "question"), outputs=outputs)
    return FakeModel(facts=facts, tensor=_qa_tensor)


def _qa_tensor(request: InferRequest, output: RequestedOutput) -> Array:
    rows = zip(request.columns["question"], request.columns["context"], strict=True)
    best = [_candidates(question.decode(), context.decode()) for question, context in rows]
    if output.name == "n_best":
        cells: list[list[object]] = [[json.dumps(row).encode()] for row in best]
        return np.array(cells, dtype=np.object_)
    if output.name == "answer":
        return np.array([[str(row[0]["answer"]).encode()] for row in best], dtype=np.object_)
    if output.name == "score":
        return np.array([[row[0]["score"]] for row in best], dtype=np.float32)
    return np.array([row[0]["span"] for row in best], dtype=np.int64)


def _candidates(question: str, context: str) -> list[dict[str, object]]:
    none = {"answer": "", "score": 0.25, "span": [-1, -1]}
    at = context.find(question[-1:])
    if at < 0:
        return [none]
    return [{"answer": context[at : at + 1], "score": 0.5, "span": [at, at + 1]}, none]


def vector_model() -> FakeModel:
    """A text of two numbers is its own vector; one of more than six characters is cut."""
    facts = ModelFacts(
        max_batch_size=4, inputs=("text",), outputs={"embedding": (2,), "truncated": (1,)}
    )
    return FakeModel(facts=facts, tensor=_vector_tensor)


def _vector_tensor(request: InferRequest, output: RequestedOutput) -> Array:
    texts = [text.decode() for text in request.columns["text"]]
    if output.name == "truncated":
        return np.array([[len(text) > 6] for text in texts])
    return np.array([[float(n) for n in text.split()[:2]] for text in texts], dtype=np.float32)


def multi_label_model() -> FakeModel:
    """A text has the labels whose letters are in it; later labels score higher."""
    outputs = {"label": (1,), "confidence": (1,), "label_name": (1,), "scores": (3,)}
    facts = ModelFacts(
        max_batch_size=4,
        inputs=("text",),
        outputs={**outputs, "truncated": (1,), "selected": (3,)},
    )
    return FakeModel(facts=facts, tensor=_multi_label_tensor)


def _multi_label_tensor(request: InferRequest, output: RequestedOutput) -> Array:
    texts = [text.decode() for text in request.columns["text"]]
    if output.name == "truncated":
        return np.array([[len(text) > 20] for text in texts])
    selected = [[letter in text for letter in "abc"] for text in texts]
    if output.name == "selected":
        return np.array(selected)
    assert output.name == "scores"
    rows = []
    for row in selected:
        scores = [(0.5 if there else 0.25) + index / 8 for index, there in enumerate(row)]
        order = sorted(range(3), key=lambda index: -scores[index])
        entries = [f"{scores[index]:.6f}:{index}:{LABELS[index]}".encode() for index in order]
        rows.append(entries[: output.class_count])
    return np.array(rows, dtype=np.object_)


def score_model(*, pair: bool = True) -> FakeModel:
    """The score is the number that the text begins with."""
    facts = ModelFacts(
        max_batch_size=4,
        inputs=("text", "text_pair") if pair else ("text",),
        outputs={"score": (1,), "truncated": (1,)},
    )
    return FakeModel(facts=facts, tensor=_score_tensor)


def _score_tensor(request: InferRequest, output: RequestedOutput) -> Array:
    texts = [text.decode() for text in request.columns["text"]]
    if output.name == "truncated":
        return np.array([[len(text) > 6] for text in texts])
    return np.array([[float(text.split()[0])] for text in texts], dtype=np.float32)


def rank_model() -> FakeModel:
    """A document's score is its number of the query's characters, halved."""
    outputs = {"scores": (-1,), "order": (-1,), "truncated": (-1,)}
    facts = ModelFacts(max_batch_size=4, inputs=("query", "documents"), outputs=outputs)
    return FakeModel(facts=facts, tensor=_rank_tensor)


def _rank_tensor(request: InferRequest, output: RequestedOutput) -> Array:
    assert request.shape_of("query") == (1, 1)
    [query] = request.columns["query"]
    texts = [text.decode() for text in request.columns["documents"]]
    assert request.shape_of("documents") == (1, len(texts))
    scores = np.array([sum(map(text.count, query.decode())) / 2 for text in texts], np.float32)
    tensors = {
        "scores": scores,
        "order": np.argsort(-scores, kind="stable"),
        "truncated": np.array([len(text) > 20 for text in texts]),
    }
    return tensors[output.name][None]


def choice_model() -> FakeModel:
    """An option's score is its number of the context's characters; they share the probability."""
    outputs = {"choice": (1,), "probabilities": (-1,), "scores": (-1,), "truncated": (-1,)}
    inputs = ("context", "question", "options")
    facts = ModelFacts(max_batch_size=4, inputs=inputs, outputs=outputs)
    return FakeModel(facts=facts, tensor=_choice_tensor)


def _choice_tensor(request: InferRequest, output: RequestedOutput) -> Array:
    [context], texts = request.columns["context"], request.columns["options"]
    scores = np.array(
        [sum(text.decode().count(one) for one in context.decode()) for text in texts], np.float32
    )
    tensors = {
        "choice": np.array([scores.argmax()]),
        "probabilities": scores / scores.sum(),
        "scores": scores,
        "truncated": np.array([len(text) > 20 for text in texts]),
    }
    return np.asarray(tensors[output.name])[None]


def sparse_model() -> FakeModel:
    """A character is a token with its code as id; its weight is half its number in the text."""
    outputs = {"indices": (-1,), "values": (-1,), "truncated": (1,)}
    facts = ModelFacts(max_batch_size=4, inputs=("text",), outputs=outputs)
    return FakeModel(facts=facts, tensor=_sparse_tensor)


def _sparse_tensor(request: InferRequest, output: RequestedOutput) -> Array:
    texts = [text.decode() for text in request.columns["text"]]
    if output.name == "truncated":
        return np.array([[len(text) > 20] for text in texts])
    rows = [sorted(set(text)) for text in texts]
    made = np.full((len(rows), max(1, *map(len, rows))), -1 if output.name == "indices" else 0.0)
    for place, (row, text) in enumerate(zip(rows, texts, strict=True)):
        ids, weights = [ord(one) for one in row], [text.count(one) / 2 for one in row]
        made[place, : len(row)] = ids if output.name == "indices" else weights
    return made.astype(np.int64 if output.name == "indices" else np.float32)


def colbert_model() -> FakeModel:
    """A token is a word of two numbers, its vector; a prompt's words are tokens too."""
    outputs = {"vectors": (-1, 2), "count": (1,), "truncated": (1,)}
    facts = ModelFacts(max_batch_size=4, inputs=("text",), outputs=outputs)
    return FakeModel(facts=facts, tensor=_colbert_tensor)


def _colbert_tensor(request: InferRequest, output: RequestedOutput) -> Array:
    rows = [text.decode().split() for text in request.columns["text"]]
    if output.name == "truncated":
        return np.array([[len(words) > 4] for words in rows])
    if output.name == "count":
        return np.array([[len(words)] for words in rows], np.int32)
    made = np.zeros((len(rows), max(map(len, rows)), 2), np.float32)
    for vectors, words in zip(made, rows, strict=True):
        vectors[: len(words)] = [[float(part) for part in word.split(",")] for word in words]
    return made


def cloze_model() -> FakeModel:
    """Every mask is b or, less likely, a; the first `top_k` of these are returned."""
    outputs = {"fills": (1,), "truncated": (1,)}
    facts = ModelFacts(max_batch_size=4, inputs=("text", "parameters"), outputs=outputs)
    return FakeModel(facts=facts, tensor=_cloze_tensor)


def _cloze_tensor(request: InferRequest, output: RequestedOutput) -> Array:
    texts = [text.decode() for text in request.columns["text"]]
    if output.name == "truncated":
        return np.array([[len(text) > 20] for text in texts])
    cells = []
    for text, asked in zip(texts, request.columns["parameters"], strict=True):
        count = json.loads(asked or "{}").get("top_k", 2)
        tokens = [
            {"token": "b", "token_id": 1, "probability": 0.75},
            {"token": "a", "token_id": 0, "probability": 0.25},
        ]
        cells.append([json.dumps([tokens[:count]] * text.count("[MASK]")).encode()])
    return np.array(cells, dtype=np.object_)
