"""Pre-trained models: the scores of the vocabulary in the place of a mask, in graph and formula."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch

from ernie_triton.batch import join_rows
from ernie_triton.build.check.reference import model_outputs, reference_for
from ernie_triton.build.commands.task_inference import infer_task
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.model.heads import MaskedHead
from ernie_triton.build.model.models import Model, trim_model, with_mask_id
from ernie_triton.errors import CheckpointError
from ernie_triton.tasks import CLOZE, LAYOUTS
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from tests.build.load.exports import VOCABULARY, MaskFromInput, export, transformers_model
from tests.build.models import save_transformers

MASK = 3
IDS = [[1, 9, MASK, 40, 2], [1, MASK, 7, MASK, 12, 31, 2]]
PLACES = [(0, 2), (1, 1), (1, 3)]
Scores = npt.NDArray[np.float32]


def own_arrays(source: Any) -> dict[str, torch.Tensor]:
    """Every array by itself: those that are tied are one in memory, which no file can hold."""
    return {name: tensor.clone() for name, tensor in source.state_dict().items()}


def expected_of(source: Any) -> Scores:
    """What transformers gives for each mask, [masks, vocabulary]."""
    with torch.inference_mode():
        outputs = [source(torch.tensor([ids])) for ids in IDS]
    scores = [next(iter(one.values()))[0].numpy() for one in outputs]
    return np.stack([scores[row][place] for row, place in PLACES])


def assert_fills(source: Any, path: Path, *, has_framework: bool = True) -> Model:
    """The model in a folder or file gives these scores by formula, reference and both graphs."""
    found = read_source(path, WantedHead(head="masked"))
    folder = path if path.is_dir() else path.parent
    vocabulary = load_vocabulary(folder / "vocab.txt")
    model = with_mask_id(found.model, vocabulary, folder)
    assert isinstance(model, Model)
    assert isinstance(model.head, MaskedHead)
    expected = expected_of(source)
    row = np.array(IDS[0], np.int32), np.zeros(5, np.int32)
    np.testing.assert_allclose(model_outputs(model, row)["logits"], expected[0], atol=1e-5)
    if has_framework:
        outputs = reference_for(replace(found, model=model), CLOZE).outputs
        np.testing.assert_allclose(outputs(row)["logits"], expected[0], atol=1e-5)
    trimmed = trim_model(model, max_length=16, pair=False)
    other = trimmed.vocabulary_size - 1
    rows = [np.array([IDS[row]], np.int32) for row, _ in PLACES]
    for ids, (_, place) in zip(rows, PLACES, strict=True):
        ids[ids == MASK] = other
        ids[0, place] = MASK
    batch = join_rows([(ids, None) for ids in rows], 0)
    for layout in LAYOUTS:
        session = onnxruntime.InferenceSession(export_onnx(trimmed, layout).SerializeToString())
        names = {item.name for item in session.get_inputs()}
        given = (
            batch.packed(token_step=32, row_step=4) if layout == "packed" else batch.padded(0, 16)
        )
        feed = {name: values for name, values in given.items() if name in names}
        [scores] = session.run(["logits"], feed)
        np.testing.assert_allclose(scores[:3], expected, atol=1e-5)
    return model


@pytest.mark.parametrize("kind", ["ernie", "bert", "roberta"])
def test_a_checkpoint_fills_in_masks_as_transformers_does(kind: str, tmp_path: Path) -> None:
    source = transformers_model(kind, head="masked", pad_token_id=0)
    save_transformers(source, tmp_path, state=own_arrays(source))
    assert_fills(source, tmp_path)
    inferred = infer_task(tmp_path)
    assert (inferred.task, inferred.reason) == ("cloze", "the names in model.safetensors")
    with pytest.raises(CheckpointError, match="not a pre-trained one"):
        read_source(tmp_path, WantedHead(head="sequence"))


@pytest.mark.parametrize("form", ["tied", "untied", "no bias", "pretraining"])
def test_the_output_may_be_tied_or_its_own_and_without_a_bias(form: str, tmp_path: Path) -> None:
    source = transformers_model("bert", head="masked", tie_word_embeddings=form != "untied")
    word = source.bert.embeddings.word_embeddings.weight
    head = source.cls.predictions
    assert (head.decoder.weight is word) == (form != "untied")
    if form == "no bias":
        torch.nn.init.zeros_(head.bias)
        torch.nn.init.zeros_(head.decoder.bias)
    dropped = {"tied": ("decoder.",), "no bias": ("decoder.weight", "bias")}.get(form, ())
    state = {
        name: tensor
        for name, tensor in own_arrays(source).items()
        if not (name.startswith("cls.predictions.") and "transform" not in name)
        or not name.removeprefix("cls.predictions.").startswith(dropped or "\0")
    }
    architecture = "BertForPreTraining" if form == "pretraining" else "BertForMaskedLM"
    if form == "pretraining":
        state["cls.seq_relationship.weight"] = torch.zeros(2, 24)
        state["cls.seq_relationship.bias"] = torch.zeros(2)
    save_transformers(source, tmp_path, state=state, architectures=[architecture])
    assert_fills(source, tmp_path)


def test_an_exported_graph_is_read(tmp_path: Path) -> None:
    source = transformers_model("ernie", head="masked")
    save_transformers(source, tmp_path, state=own_arrays(source))
    (tmp_path / "model.safetensors").unlink()
    path = tmp_path / "mlm.onnx"
    onnx.save(export(MaskFromInput(source)), path)
    model = assert_fills(source, path)
    assert model.head.output.outputs == VOCABULARY  # type: ignore[union-attr]
