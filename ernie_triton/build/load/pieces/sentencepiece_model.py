"""SentencePiece models, and XLM-RoBERTa's as a `tokenizer.json`, as transformers converts it.

There the ids of the pieces are fairseq's: four special tokens stand in place of SentencePiece's
three, and the mask behind all of them.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from tokenizers import AddedToken, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram

from ernie_triton.errors import CheckpointError

_UNIGRAM = 1
_OWN_SPECIALS = 3
_SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
_MASK = "<mask>"
_UNKNOWN_ID = 3
_PACKAGE = "ernie_triton.sentencepiece"
_FIELD = descriptor_pb2.FieldDescriptorProto
_MESSAGES = {
    "Piece": (
        *(("piece", 1, _FIELD.TYPE_STRING), ("score", 2, _FIELD.TYPE_FLOAT)),
        ("type", 3, _FIELD.TYPE_INT32),
    ),
    "Trainer": (("model_type", 3, _FIELD.TYPE_INT32), ("suffix", 24, _FIELD.TYPE_BOOL)),
    "Normalizer": (
        *(("charsmap", 2, _FIELD.TYPE_BYTES), ("add_dummy_prefix", 3, _FIELD.TYPE_BOOL)),
        ("remove_extra_whitespaces", 4, _FIELD.TYPE_BOOL),
        ("escape_whitespaces", 5, _FIELD.TYPE_BOOL),
    ),
    "Model": (("pieces", 1, "Piece"), ("trainer", 2, "Trainer"), ("normalizer", 3, "Normalizer")),
}
"""Fields of `sentencepiece_model.proto` (github.com/google/sentencepiece), by number."""


def xlm_roberta_document(path: Path) -> str:
    """Make the `tokenizer.json` of a SentencePiece model.

    Raises:
        CheckpointError: the file is damaged, or its model is not Unigram.
    """
    model = read_unigram(path)
    charsmap = model.normalizer.charsmap
    return unigram_document(
        [(piece.piece, piece.score) for piece in model.pieces[_OWN_SPECIALS:]],
        normalizers.Precompiled(charsmap) if charsmap else None,
    )


def unigram_document(
    pieces: Sequence[tuple[str, float]], normalizer: normalizers.Normalizer | None
) -> str:
    """Make a `tokenizer.json` with XLM-RoBERTa's special tokens around the given pieces.

    Args:
        pieces: the pieces in the order of their ids, which begin behind four special tokens, and
            their scores.
        normalizer: what happens to a text first.
    """
    specials = [(name, 0.0) for name in _SPECIALS]
    tokenizer = Tokenizer(Unigram([*specials, *pieces, (_MASK, 0.0)], unk_id=_UNKNOWN_ID))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    tokenizer.add_special_tokens([AddedToken(name, normalized=False) for name in _SPECIALS])
    tokenizer.add_special_tokens([AddedToken(_MASK, lstrip=True, normalized=False)])
    first, _, last, _ = _SPECIALS
    tokenizer.post_processor = processors.TemplateProcessing(
        single=[first, "$A", last],
        pair=[first, "$A", last, last, "$B", last],
        special_tokens=[(first, 0), (last, 2)],
    )
    text: str = tokenizer.to_str()
    return text


def read_unigram(path: Path) -> Any:  # noqa: ANN401
    """Read a SentencePiece model: a message with the fields of `_MESSAGES`.

    Raises:
        CheckpointError: the file is damaged, or its model is not Unigram.
    """
    model = _model_class()()
    try:
        model.ParseFromString(path.read_bytes())
    except (DecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} is no SentencePiece model: {error}") from error
    if len(model.pieces) <= _OWN_SPECIALS or model.trainer.model_type not in (0, _UNIGRAM):
        raise CheckpointError(
            f"{path} is a SentencePiece model of type {model.trainer.model_type} with "
            f"{len(model.pieces)} pieces; expected a Unigram model, as XLM-RoBERTa has it; save "
            f"the tokenizer with transformers, which writes tokenizer.json"
        )
    return model


@functools.cache
def _model_class() -> Any:  # noqa: ANN401
    """Make the class of the message; a pool of its own keeps sentencepiece's names free."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto2"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            added = message.field.add(name=field, number=number, label=_FIELD.LABEL_OPTIONAL)
            if isinstance(kind, str):
                added.type, added.type_name = _FIELD.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                added.type = kind
            if field == "pieces":
                added.label = _FIELD.LABEL_REPEATED
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Model"))
