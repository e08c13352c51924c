"""The table of tasks is the wire contract of the design, name for name and type for type."""

from __future__ import annotations

import dataclasses

import pytest

from ernie_triton.errors import PipelineError
from ernie_triton.tasks import LENGTHS, SEQ_CLS, TASKS, TOKEN_TENSORS, TensorSpec, task_named

# PaddleNLP's ERNIE 3.0 Triton example has `label` and `confidence`; its clients read them.
SEQ_CLS_OUTPUTS = {
    "label": ("INT64", (1,)),
    "confidence": ("FP32", (1,)),
    "label_name": ("STRING", (1,)),
    "scores": ("FP32", (15,)),
    "truncated": ("BOOL", (1,)),
}


def test_sequence_classification_has_the_outputs_of_the_contract() -> None:
    outputs = (*SEQ_CLS.results, *SEQ_CLS.tokenizer_results)
    resolved = {spec.name: (spec.dtype, spec.resolved({"labels": 15})) for spec in outputs}
    assert resolved == SEQ_CLS_OUTPUTS


@pytest.mark.parametrize(("pair", "names"), [(False, ["text"]), (True, ["text", "text_pair"])])
def test_texts_come_in_as_single_strings(pair: bool, names: list[str]) -> None:
    inputs = SEQ_CLS.text_inputs(pair=pair)
    assert [(spec.name, spec.dtype, spec.dims) for spec in inputs] == [
        (name, "STRING", (1,)) for name in names
    ]


def test_a_task_without_pairs_refuses_them() -> None:
    single = dataclasses.replace(SEQ_CLS, name="ner", pair_texts=())
    with pytest.raises(PipelineError, match="the task ner does not take pairs of texts"):
        single.text_inputs(pair=True)


def test_tokens_travel_as_int32_of_any_length_with_their_lengths() -> None:
    tokens = [(spec.name, spec.dtype, spec.dims) for spec in (*TOKEN_TENSORS, LENGTHS)]
    assert tokens == [
        ("input_ids", "INT32", (-1,)),
        ("token_type_ids", "INT32", (-1,)),
        ("lengths", "INT32", (1,)),
    ]


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
            *TOKEN_TENSORS,
            LENGTHS,
            *task.engine_outputs,
            *task.tokenizer_results,
            *task.results,
        )
        names = [spec.name for spec in tensors]
        assert len(set(names)) == len(names)
