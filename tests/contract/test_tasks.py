"""The table of tasks is the wire contract of the design, name for name and type for type."""

from __future__ import annotations

import pytest

from ernie_triton.decoders import DECODERS
from ernie_triton.errors import PipelineError
from ernie_triton.tasks import (
    EMBEDDING,
    MULTI_LABEL,
    QA,
    REGRESSION,
    RERANK,
    SEQ_CLS,
    TASKS,
    TOKEN_CLS,
    WINDOW_TENSORS,
    Task,
    TensorSpec,
    task_named,
    token_tensors,
)

SCORES = {
    "label": ("INT64", (1,)),
    "confidence": ("FP32", (1,)),
    "label_name": ("STRING", (1,)),
    "scores": ("FP32", (15,)),
}
TRUNCATED = {"truncated": ("BOOL", (1,))}


# PaddleNLP's ERNIE 3.0 Triton examples have `label`, `confidence` and `OUTPUT`; clients read them.
@pytest.mark.parametrize(
    ("task", "model", "outputs"),
    [
        (SEQ_CLS, "ernie_seqcls", SCORES | TRUNCATED),
        (MULTI_LABEL, "ernie_multilabel", {**SCORES, "selected": ("BOOL", (15,)), **TRUNCATED}),
        (REGRESSION, "ernie_regression", {"score": ("FP32", (1,)), **TRUNCATED}),
        (
            RERANK,
            "ernie_rerank",
            {"scores": ("FP32", (-1,)), "order": ("INT64", (-1,)), "truncated": ("BOOL", (-1,))},
        ),
        (TOKEN_CLS, "ernie_tokencls", {"OUTPUT": ("STRING", (1,))}),
        (
            QA,
            "ernie_qa",
            {
                "answer": ("STRING", (1,)),
                "score": ("FP32", (1,)),
                "span": ("INT64", (2,)),
                "n_best": ("STRING", (1,)),
            },
        ),
        (EMBEDDING, "ernie_embedding", {"embedding": ("FP32", (312,)), **TRUNCATED}),
    ],
    ids=lambda value: value.name if isinstance(value, Task) else "",
)
def test_a_task_has_the_model_and_the_outputs_of_the_contract(
    task: Task, model: str, outputs: dict[str, tuple[str, tuple[int, ...]]]
) -> None:
    sizes = {"labels": 15, "hidden": 312}
    found = (*task.results, *task.tokenizer_results)
    assert {spec.name: (spec.dtype, spec.resolved(sizes)) for spec in found} == outputs
    assert task.default_model == model


@pytest.mark.parametrize(
    ("task", "pair", "names"),
    [
        (SEQ_CLS, False, ["text"]),
        (SEQ_CLS, True, ["text", "text_pair"]),
        (TOKEN_CLS, False, ["text"]),
        (QA, True, ["question", "context"]),
        (EMBEDDING, False, ["text"]),
    ],
)
def test_texts_come_in_as_single_strings(task: Task, pair: bool, names: list[str]) -> None:
    inputs = task.text_inputs(pair=pair)
    assert [(spec.name, spec.dtype, spec.dims) for spec in inputs] == [
        (name, "STRING", (1,)) for name in names
    ]


def test_a_query_comes_with_any_number_of_documents() -> None:
    inputs = RERANK.text_inputs(pair=True)
    found = [(spec.name, spec.dtype, spec.dims) for spec in inputs]
    assert found == [("query", "STRING", (1,)), ("documents", "STRING", (-1,))]


def test_a_task_without_pairs_or_without_single_texts_refuses_them() -> None:
    with pytest.raises(PipelineError, match="token_cls takes single texts; found pairs of texts"):
        TOKEN_CLS.text_inputs(pair=True)
    with pytest.raises(PipelineError, match="the task qa takes pairs of texts; found single texts"):
        QA.text_inputs(pair=False)


def test_every_task_that_asks_the_engine_once_has_a_decoder() -> None:
    assert set(DECODERS) == {task.name for task in TASKS.values() if not task.asks_again}


def test_tasks_whose_tokens_have_places_have_windows() -> None:
    per_token = {task.name for task in TASKS.values() if task.is_per_token}
    assert per_token == {"token_cls", "qa", "extraction", "sparse", "colbert"}
    windowed = {task.name for task in TASKS.values() if task.has_windows}
    assert windowed == per_token - {"sparse", "colbert"}


@pytest.mark.parametrize(
    ("pair", "names"), [(False, ["input_ids"]), (True, ["input_ids", "token_type_ids"])]
)
def test_tokens_travel_as_int32_of_any_length_and_with_types_only_in_pairs(
    pair: bool, names: list[str]
) -> None:
    tokens = [(spec.name, spec.dtype, spec.dims) for spec in token_tensors(pair=pair)]
    assert tokens == [(name, "INT32", (-1,)) for name in names]


def test_named_sizes_are_put_in_and_numbers_stay() -> None:
    spec = TensorSpec(name="x", dtype="FP32", dims=(-1, "labels", 2))
    assert spec.resolved({"labels": 3}) == (-1, 3, 2)


def test_a_task_is_found_by_its_name_and_another_is_refused() -> None:
    assert all(task_named(name).name == name for name in TASKS)
    with pytest.raises(PipelineError, match="'seqcls' is not one of seq_cls"):
        task_named("seqcls")


def test_model_names_and_tensor_names_are_distinct() -> None:
    assert len({task.default_model for task in TASKS.values()}) == len(TASKS)
    for task in TASKS.values():
        tensors = (
            *task.text_inputs(pair=bool(task.pair_texts)),
            *token_tensors(pair=True),
            *WINDOW_TENSORS,
            *task.engine_outputs,
            *task.tokenizer_results,
            *task.results,
            *task.optional_results,
        )
        names = [spec.name for spec in tensors]
        assert len(set(names)) == len(names)
