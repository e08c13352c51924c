"""A checkpoint of random weights in transformers' format, written without torch.

Its vocabulary covers any text: each Chinese character is a token, as in every such model, and Latin
words and numbers consist of pieces of one and two characters.
"""

import itertools
import json
import string
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.load import read_source
from ernie_triton.build.load.safetensors_file import write_safetensors
from ernie_triton.build.load.weight_files import SAFETENSORS_FILE
from ernie_triton.build.random_models.weights import random_state
from ernie_triton.build.whole_folder import whole_folder
from ernie_triton.errors import CheckpointError
from ernie_triton.model_shapes import POSITIONS, TASK_TYPES, TOKEN_TYPES, VOCABULARY_SIZE, Shape
from ernie_triton.tasks import SEQ_CLS, TOKEN_CLS
from ernie_triton.tokenizer.vocabulary import CLASSIFY, MASK, PAD, SEPARATE, UNKNOWN

_SPECIALS = (PAD, CLASSIFY, SEPARATE, MASK, UNKNOWN)
_PUNCTUATION = "，。、；：？！…—·“”‘’（）《》【】「」￥％～＋－／＝℃°×÷→"
_IDEOGRAPHS = range(0x4E00, 0x9FA6)
"""The block of Unicode 1.1: the 20,902 ideographs of GBK, with every common one."""
_ALPHABET = string.digits + string.ascii_lowercase
_TRIAL_ROWS, _TRIAL_TOKENS = 64, 24
_OUTSIDE = 0.85
"""Share of the tokens outside entities."""
_WARNINGS_AND_WORSE = 3


HEADS: Mapping[str, str] = {
    SEQ_CLS.name: "ErnieForSequenceClassification",
    TOKEN_CLS.name: "ErnieForTokenClassification",
}
"""The class of a checkpoint for each task that one can be made for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomModel:
    """The shape, the number of labels, the seed of all weights, and the task: a key of `HEADS`."""

    shape: Shape
    labels: int
    seed: int = 0
    task: str = SEQ_CLS.name

    def __post_init__(self) -> None:
        check_shape(self.shape)
        if self.labels < 1:
            raise CheckpointError(f"labels is {self.labels}; expected at least 1")
        if self.labels == 1:
            raise CheckpointError("labels is 1, which means a regression; expected at least 2")


def check_shape(shape: Shape) -> None:
    """Check the sizes of a shape.

    Raises:
        CheckpointError: a size is below 1, or the heads do not divide the width.
    """
    for name, value in asdict(shape).items():
        if value < 1:
            raise CheckpointError(f"{name} is {value}; expected at least 1")
    if shape.hidden % shape.heads:
        raise CheckpointError(f"hidden is {shape.hidden}, which {shape.heads} heads do not divide")


def write_random_checkpoint(wanted: RandomModel, folder: Path) -> None:
    """Write `config.json`, `tokenizer_config.json`, `vocab.txt` and `model.safetensors`.

    The classifier's bias makes the mean logits over random texts equal, so that decisions vary from
    text to text. Of tokens most are outside entities, as in real texts. The build's own reader
    reads the weights back before the folder gets its name.

    Raises:
        CheckpointError: the folder exists.
    """
    if folder.exists():
        raise CheckpointError(f"{folder} exists; name another folder, or remove it")
    with whole_folder(folder) as beside:
        _write_texts(wanted, beside)
        state = random_state(wanted.shape, labels=wanted.labels, seed=wanted.seed)
        if wanted.task == TOKEN_CLS.name:
            state = {name: array for name, array in state.items() if ".pooler." not in name}
        write_safetensors(state, beside / SAFETENSORS_FILE)
        state["classifier.bias"] += _balance(_trial_logits(beside, wanted.seed), wanted.task)
        write_safetensors(state, beside / SAFETENSORS_FILE)
        read_source(beside)


def ernie_config(
    shape: Shape, *, vocabulary_size: int, positions: int, task: str = SEQ_CLS.name
) -> dict[str, object]:
    """Return the `config.json` of an ERNIE with the head of a task, without labels."""
    return {
        "architectures": [HEADS[task]],
        "model_type": "ernie",
        "hidden_act": "gelu",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.feed_forward,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "max_position_embeddings": positions,
        "type_vocab_size": TOKEN_TYPES,
        "task_type_vocab_size": TASK_TYPES,
        "use_task_id": True,
        "task_id": 0,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
        "vocab_size": vocabulary_size,
    }


def _plain_vocabulary(size: int) -> list[str]:
    """List `size` different entries by id, `[PAD]` first; the last are `[unused1]`, ….

    Raises:
        ValueError: the size is too small for every character.
    """
    pairs = ["".join(pair) for pair in itertools.product(_ALPHABET, repeat=2)]
    entries = [*_SPECIALS, *string.punctuation, *_PUNCTUATION, *_ALPHABET]
    entries += map(chr, _IDEOGRAPHS)
    entries += pairs
    entries += [f"##{piece}" for piece in (*_ALPHABET, *pairs)]
    spare = size - len(entries)
    if spare < 0:
        raise ValueError(f"{len(entries)} entries do not fit a vocabulary of {size}")
    return entries + [f"[unused{number}]" for number in range(1, spare + 1)]


def _write_texts(wanted: RandomModel, folder: Path) -> None:
    vocabulary = _plain_vocabulary(VOCABULARY_SIZE)
    names = ("pad_token", "cls_token", "sep_token", "mask_token", "unk_token")
    tokenizer = {
        "do_lower_case": True,
        "tokenizer_class": "BertTokenizer",
        **dict(zip(names, _SPECIALS, strict=True)),
    }
    labels = _label_names(wanted)
    config = {
        **ernie_config(
            wanted.shape, vocabulary_size=VOCABULARY_SIZE, positions=POSITIONS, task=wanted.task
        ),
        "id2label": {str(index): label for index, label in enumerate(labels)},
        "label2id": {label: index for index, label in enumerate(labels)},
    }
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in vocabulary), "utf-8")
    for name, content in (("tokenizer_config.json", tokenizer), ("config.json", config)):
        text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
        (folder / name).write_text(text, encoding="utf-8")


def _label_names(wanted: RandomModel) -> list[str]:
    """Name the labels: `class_0`, … of texts; `O`, `B-T0`, `I-T0`, `B-T1`, … of tokens."""
    if wanted.task == TOKEN_CLS.name:
        return ["O", *(f"{'BI'[place % 2]}-T{place // 2}" for place in range(wanted.labels - 1))]
    return [f"class_{index}" for index in range(wanted.labels)]


def _balance(logits: npt.NDArray[np.float32], task: str) -> npt.NDArray[np.float32]:
    """The bias that makes decisions vary, float32 [labels], from logits [rows, labels]."""
    bias = np.asarray(-logits.mean(axis=0), dtype=np.float32)
    if task == TOKEN_CLS.name:
        lead = (logits + bias)[:, 1:].max(axis=1) - (logits + bias)[:, 0]
        bias[0] += np.quantile(lead, _OUTSIDE)
    return bias


def _trial_logits(folder: Path, seed: int) -> npt.NDArray[np.float32]:
    """Compute the logits of random rows of tokens, float32 [rows or tokens, labels]."""
    model = read_source(folder).model
    if model is None:
        raise CheckpointError(f"{folder} was not read as weights")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _WARNINGS_AND_WORSE
    session = onnxruntime.InferenceSession(
        export_onnx(model, "padded").SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
    )
    random = np.random.default_rng(seed)
    size = (_TRIAL_ROWS, _TRIAL_TOKENS)
    ids = random.integers(len(_SPECIALS), VOCABULARY_SIZE // 2, size, dtype=np.int32)
    ids[:, 0], ids[:, -1] = _SPECIALS.index("[CLS]"), _SPECIALS.index("[SEP]")
    feed = {"input_ids": ids, "token_type_ids": np.zeros_like(ids)}
    (logits,) = session.run(["logits"], feed)
    return np.asarray(logits.reshape(-1, logits.shape[-1]), dtype=np.float32)
