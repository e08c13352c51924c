"""A tiny student that begins with its teacher's word vectors, and may have its pieces."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Tokenizer

from ernie_triton.arrays import Array, Float32
from ernie_triton.build.load.settings import TOKENIZER_FILE
from ernie_triton.build.random_models.checkpoint import ernie_config
from ernie_triton.build.torch_models.checkpoints import load_model
from ernie_triton.model_shapes import Shape
from ernie_triton.tasks import EMBEDDING
from ernie_triton.tokenizer.vocabulary import TOKENIZER_JSON, VOCABULARY_FILE
from ernie_triton.training.tasks import TrainingTask
from samples.bases import WIDE_DEVIATION, look_at_neighbours
from samples.distillation.request import SampleDistillation
from samples.errors import DataError
from samples.recipes import TinyModel

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_SPACE = "\u2581"
_CONTINUED = "##"
_RARE = 2
_SCORE_PLACES = 4


def chosen_pieces(document: str, texts: Iterable[str], count: int) -> list[int]:
    """Choose pieces of a `tokenizer.json` by how often texts have them, in the order of their ids.

    Special pieces are kept, and single characters that texts have twice or more: every other piece
    can be spelt with these.

    Args:
        document: the teacher's `tokenizer.json`.
        texts: the texts that decide.
        count: pieces to keep.
    """
    tokenizer = Tokenizer.from_str(document)
    rows = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    often = Counter(piece for row in rows for piece in row.ids)
    names = pieces_of(document)
    characters: Counter[str] = Counter()
    for piece, times in often.items():
        for character in names[piece].removeprefix(_SPACE):
            characters[character] += times
    special = {token["id"] for token in json.loads(document)["added_tokens"]}
    kept = set(special)
    kept.update(
        number
        for number, piece in enumerate(names)
        if piece == _SPACE
        or (len(piece) == 1 and characters[piece] >= _RARE)
        or (len(piece) == 2 and piece[0] == _SPACE and often[number] >= _RARE)
    )
    for piece, times in often.most_common():
        if len(kept) >= count or times < _RARE:
            break
        kept.add(piece)
    return sorted(kept)


def with_pieces(document: str, kept: Sequence[int]) -> str:
    """Make the `tokenizer.json` of some of its pieces; their ids are their places."""
    content: dict[str, Any] = json.loads(document)
    names = content["model"]["vocab"]
    content["model"]["vocab"] = [[names[at][0], round(names[at][1], _SCORE_PLACES)] for at in kept]
    places = {piece: place for place, piece in enumerate(kept)}
    content["model"]["unk_id"] = places[content["model"]["unk_id"]]
    for token in content["added_tokens"]:
        token["id"] = places[token["id"]]
    for name, special in content["post_processor"]["special_tokens"].items():
        del name
        special["ids"] = [places[piece] for piece in special["ids"]]
    return json.dumps(content, ensure_ascii=False)


def narrowed(table: Array, width: int) -> Float32:
    """Project vectors onto their principal components, float32 [rows, width or fewer]."""
    centred = table.astype(np.float64) - table.mean(axis=0, dtype=np.float64)
    _, directions = np.linalg.eigh(centred.T @ centred)
    found: Float32 = (centred @ directions[:, : -width - 1 : -1]).astype(np.float32)
    return found


def write_student_base(
    teacher: Path, texts: Sequence[str], model: TinyModel, folder: Path, *, pieces: int
) -> Path:
    """Write the sizes and the vocabulary of a student into a new folder; returns the folder.

    Args:
        teacher: a checkpoint with a `tokenizer.json`.
        texts: the texts that decide which pieces are kept.
        model: the student's sizes.
        folder: to make.
        pieces: pieces to keep, special ones included.

    Raises:
        DataError: the teacher has no pieces.
    """
    path = teacher / TOKENIZER_JSON
    if not path.is_file():
        raise DataError(f"{teacher} has no {TOKENIZER_JSON}; name a teacher of pieces")
    document = path.read_text(encoding="utf-8")
    kept = chosen_pieces(document, texts, pieces)
    folder.mkdir(parents=True)
    (folder / TOKENIZER_JSON).write_text(with_pieces(document, kept), encoding="utf-8")
    settings = json.loads((teacher / TOKENIZER_FILE).read_text(encoding="utf-8"))
    settings = {**settings, "model_max_length": model.positions}
    (folder / TOKENIZER_FILE).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    shape = Shape(
        layers=model.layers,
        hidden=model.hidden,
        heads=model.heads,
        feed_forward=model.feed_forward,
    )
    config = ernie_config(shape, vocabulary_size=len(kept), positions=model.positions)
    config |= {
        "pad_token_id": 1,
        "attention_probs_dropout_prob": model.attention_dropout,
        "initializer_range": WIDE_DEVIATION,
    }
    text = json.dumps(config, ensure_ascii=False, indent=2) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")
    return folder


def tiny_student(base: Path, wanted: SampleDistillation) -> "PreTrainedModel":
    """Make a student of random weights, but for the teacher's word vectors, narrowed."""
    data, model = wanted.data, wanted.recipe.model
    student = load_model(base, task=data.task, labels=data.outputs, seed=wanted.seed)
    encoder: Any = load_model(wanted.teacher, task=EMBEDDING.name)
    theirs = encoder.get_input_embeddings().weight.detach().numpy()
    vectors = narrowed(vectors_of_entries(base, wanted.teacher, theirs), model.hidden)
    # These arrays share the memory of the weights.
    own: Any = student.base_model
    weights = {name: one.detach().numpy() for name, one in own.named_parameters()}
    table = weights["embeddings.word_embeddings.weight"]
    table[:, : vectors.shape[1]] = vectors * (WIDE_DEVIATION / vectors.std())
    if model.neighbours:
        look_at_neighbours(weights, model, wanted.seed)
    return student


def centre_scores(student: "PreTrainedModel", task: TrainingTask) -> None:
    """Shift all scores by one number, so that those of dev reach as far below 0 as above.

    No probability changes. BF16 has finer steps for small numbers than for large ones.
    """
    import torch

    scorer: Any = student
    batches = (task.collate([row]) for row in task.rows(task.data.dev))
    with torch.no_grad():
        scores = torch.cat([scorer(**task.inputs(batch)).logits for batch in batches])
        ends = scores.max(dim=1).values + scores.min(dim=1).values
        scorer.classifier.bias -= ends.mean() / 2


def vectors_of_entries(student: Path, teacher: Path, table: Array) -> Float32:
    """Return the teacher's vector of each entry of a student's vocabulary, float32 [entries, …].

    An entry of a `vocab.txt` has the mean vector of the pieces that the teacher spells it with.
    """
    document = (teacher / TOKENIZER_JSON).read_text("utf-8")
    if (student / TOKENIZER_JSON).is_file():
        names = [
            pieces_of(text) for text in ((student / TOKENIZER_JSON).read_text("utf-8"), document)
        ]
        ids = {piece: place for place, piece in enumerate(names[1])}
        return np.asarray(table[[ids[piece] for piece in names[0]]], np.float32)
    tokenizer = Tokenizer.from_str(document)
    entries = (student / VOCABULARY_FILE).read_text("utf-8").splitlines()
    rows = tokenizer.encode_batch_fast(
        [entry.removeprefix(_CONTINUED) for entry in entries], add_special_tokens=False
    )
    unknown = json.loads(document)["model"]["unk_id"]
    means = [table[row.ids or [unknown]].mean(axis=0) for row in rows]
    return np.asarray(np.stack(means), np.float32)


def pieces_of(document: str) -> list[str]:
    """Return the pieces of a `tokenizer.json`, in the order of their ids."""
    return [piece for piece, _ in json.loads(document)["model"]["vocab"]]
