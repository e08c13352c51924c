"""Folders of sentence-transformers give its vectors and scores; see `make_answers`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.local_answers import PipelineParts
from ernie_triton.build.check.reference import batch_rows, model_outputs
from ernie_triton.build.checkpoint_defaults import folder_words, with_checkpoint_defaults
from ernie_triton.build.commands.build_options import spec_from_options
from ernie_triton.build.config import ModelSizes, tokenizer_stage_settings
from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import Source, wanted_head
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError, PipelineError
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from tests.build.load.sentence.folders import (
    HIDDEN,
    PAIRS,
    SCORE_FOLDERS,
    TEXTS,
    VECTOR_FOLDERS,
    VOCABULARY,
    dense,
    write_sentence_model,
)

ANSWERS = {
    version: json.loads(Path(__file__).with_name(f"answers_{version}.json").read_text("utf-8"))
    for version in (3, 6)
}
CASES = [(v, name) for v, told in ANSWERS.items() for name in told if name != "version"]


def read(folder: Path, **options: Any) -> tuple[PipelineSpec, PipelineSpec, Source]:
    """Return the pipeline as described, the same with the folder's values, and the source."""
    given = spec_from_options(folder, options)
    source = read_source(folder, wanted_head(given))
    return given, with_checkpoint_defaults(given, source), source


def answers_of(folder: Path, **options: Any) -> np.ndarray[Any, Any]:
    """Answer the texts through the first and the last stage, with NumPy between them."""
    _, spec, source = read(folder, **options)
    assert isinstance(source.model, Model)
    sizes = ModelSizes(
        labels=("score",),
        hidden=1,
        lower_case=source.lower_case,
        pad_token_id=0,
        vocabulary_size=len(VOCABULARY),
        token_types=2,
        lower_texts=source.sentence is not None and source.sentence.lower_case,
    )
    settings = tokenizer_stage_settings(spec, sizes)
    assert source.vocabulary is not None
    encoder = TextEncoder(
        load_vocabulary(source.vocabulary),
        max_length=settings.max_length,
        lower_case=settings.lower_case,
        prompt=settings.prompt,
        lower_texts=settings.lower_texts,
    )
    columns = zip(*PAIRS, strict=True) if spec.pair else (TEXTS,)
    rows = encoder.encode(*(list(column) for column in columns))
    batch = TokenBatch(
        input_ids=rows.input_ids, token_type_ids=rows.token_type_ids, lengths=rows.lengths
    )
    outputs = [model_outputs(source.model, row) for row in batch_rows(batch)]
    name = "logits" if spec.task == "regression" else "vector"
    postprocess = PipelineParts(spec, sizes, encoder).postprocess
    tensors = {name: np.stack([row[name] for row in outputs]).astype(np.float32)}
    [answer] = postprocess.run([postprocess.read(tensors)])
    return np.asarray(next(iter(answer.values())))


@pytest.mark.parametrize(("version", "name"), CASES)
def test_answers_are_sentence_transformers_own(version: int, name: str, tmp_path: Path) -> None:
    {**VECTOR_FOLDERS, **SCORE_FOLDERS}[name](tmp_path)
    options = {"normalize": False} if name in ("text2vec", "m3e", "every_module") else {}
    found = answers_of(tmp_path, **options)
    np.testing.assert_allclose(found, ANSWERS[version][name], rtol=0, atol=1e-5)


def test_the_wire_contract_scales_vectors_that_are_compared_by_cosine(tmp_path: Path) -> None:
    VECTOR_FOLDERS["text2vec"](tmp_path)
    expected = np.array(ANSWERS[6]["text2vec"])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(answers_of(tmp_path), expected, rtol=0, atol=1e-5)


def test_the_summary_says_what_the_folder_decides_and_what_replaces_it(tmp_path: Path) -> None:
    VECTOR_FOLDERS["new_modules"](tmp_path)
    given, spec, source = read(tmp_path)
    assert folder_words(given, spec, source) == (
        "lasttoken+max pooling, dense 16 to 9 (gelu), scaled to length 1 there, the first 5 "
        "features, not scaled to length 1, prompt '今天', texts cut at 40 tokens, as the "
        "sentence-transformers folder says"
    )
    given, spec, source = read(tmp_path, prompt_name="document", max_length=20, normalize=True)
    said = folder_words(given, spec, source)
    assert "texts cut at 20 tokens" in said
    assert said.endswith("but for --normalize, --max-length 20, --prompt-name document")
    longer = read(tmp_path, max_length=64)
    assert longer[1].max_length == 40
    assert "texts cut at 40 tokens, not 64: the folder's most" in folder_words(*longer)


def test_options_replace_what_the_folder_says(tmp_path: Path) -> None:
    VECTOR_FOLDERS["bge"](tmp_path)
    _, spec, _ = read(tmp_path, pooling="mean", dimensions=3)
    assert (spec.answering.pooling, spec.answering.normalize) == ("mean", True)
    assert answers_of(tmp_path, pooling="mean", dimensions=3).shape == (len(TEXTS), 3)
    with pytest.raises(PipelineError, match="prompt_name is 'q'; expected one of the checkpoint's"):
        read(tmp_path, prompt_name="q")


def test_a_folder_without_its_list_is_read_as_sentence_transformers_does(tmp_path: Path) -> None:
    VECTOR_FOLDERS["bge"](tmp_path)
    expected = answers_of(tmp_path, pooling="mean")
    (tmp_path / "modules.json").unlink()
    (tmp_path / "2_Dense").mkdir()  # nor is it looked into
    found = read(tmp_path)
    assert answers_of(tmp_path) == pytest.approx(expected, abs=1e-6)
    assert "1_Pooling and 2_Dense and 2_Normalize left out since" in folder_words(*found)
    assert found[1].answering.pooling == "mean"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("sentence_transformers.models.CNN", "CNN"),
        ("sentence_transformers.base.modules.router.Router", "Router"),
        ("sentence_transformers.sparse_encoder.models.SpladePooling", "SpladePooling"),
        ("my_module.Custom", "Custom"),
    ],
)
def test_other_modules_are_refused_by_name(kind: str, name: str, tmp_path: Path) -> None:
    VECTOR_FOLDERS["bge"](tmp_path)
    path = tmp_path / "modules.json"
    listed = json.loads(path.read_text("utf-8"))
    listed[2]["type"] = kind
    path.write_text(json.dumps(listed), encoding="utf-8")
    with pytest.raises(CheckpointError, match=f"has the module '{name}' at '2_Normalize', which"):
        read_source(tmp_path)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (dense(HIDDEN, 4, "activation.Mish"), "the activation is 'torch.nn.modules.activation.Mi"),
        ({**dense(HIDDEN, 4, "activation.Tanh"), "use_residual": True}, "use_residual is true"),
        (
            {**dense(HIDDEN, 4, "activation.Tanh"), "module_input_name": "token_embeddings"},
            "the layer works on 'token_embeddings'; only 'sentence_embedding' is supported",
        ),
        ({**dense(HIDDEN, 4, "activation.Tanh"), "gate": 1}, "has the key 'gate', which is not"),
        (dense(9, 4, "activation.Tanh"), "takes 9 features, but is given 8"),
    ],
)
def test_layers_that_are_not_served_are_refused_by_value(
    module: dict[str, Any], message: str, tmp_path: Path
) -> None:
    write_sentence_model(tmp_path, ("Dense", module))
    with pytest.raises(CheckpointError, match=message):
        read_source(tmp_path)


@pytest.mark.parametrize(
    ("file", "values", "message"),
    [
        ("sentence_bert_config.json", {"max_seq_length": "long"}, "max_seq_length is 'long'; exp"),
        ("sentence_bert_config.json", {"tokenizer_args": {"a": 1}}, "tokenizer_args is .* not sup"),
        ("1_Pooling/config.json", {"pooling_mode": "attention"}, "pooling_mode is 'attention'; e"),
        ("1_Pooling/config.json", {"windows": 1}, "has the key 'windows', which is not known"),
        ("config_sentence_transformers.json", {"default_prompt_name": "q"}, "default_prompt_name"),
        ("config_sentence_transformers.json", {"truncate_dim": 0}, "truncate_dim is 0; expected"),
        ("config_sentence_transformers.json", {"model_type": "SparseEncoder"}, "'SparseEncoder'; "),
    ],
)
def test_settings_that_are_not_known_are_refused(
    file: str, values: dict[str, Any], message: str, tmp_path: Path
) -> None:
    VECTOR_FOLDERS["bge"](tmp_path)
    (tmp_path / file).write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(CheckpointError, match=message):
        read_source(tmp_path)
