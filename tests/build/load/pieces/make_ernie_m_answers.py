"""Ask PaddleNLP or transformers for the answers of `ernie_m_folders`, and write them beside it.

Run it with PaddleNLP 2.8.1 on Paddle, and with transformers 4.40 on torch, in environments that
have sentencepiece, tokenizers, safetensors and protobuf too:

    python -m tests.build.load.pieces.make_ernie_m_answers --texts 20000

So many random texts are compared with this package's tokens first, and every difference is listed.
"""

import argparse
import importlib.util
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.build.load.pieces.ernie_m_folders import (
    HEADS,
    PAIRS,
    paddle_folder,
    port_folder,
    tokenizer_folder,
)
from tests.build.load.pieces.folders import encoder_of

PARTS = (
    *"北京的涮肉，。①Ａ１：！？㍿ﬁ½eux…ｶﾞ™hon \t\n\u3000\u00a0\u200b\u0301\u0308😀~～Ⅷ²³٣【】▁龘㐀",
    *("  ", "央行", "iPhone", "Python 3", "123", "0.5", "1,234", "a1b2", "ＡＢＣ１２３", "漢字"),
    *(
        "[MASK]",
        "[SEP]",
        "[CLS]",
        "[PAD]",
        "[UNK]",
        "[mask]",
        "👨‍👩‍👧",
        "คน",
        "한국어",
        "İ",
        "ß",
        "Ǆ",
    ),
)
RECORDED = 90
ROW_TOKENS = 512


def random_texts(count: int) -> list[str]:
    """Texts of random parts; the same ones each time."""
    chooser = random.Random(7)
    return ["".join(chooser.choices(PARTS, k=chooser.randrange(1, 14))) for _ in range(count)]


def main() -> None:
    """Compare tokens, and write the answers."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--texts", type=int, default=2000, help="random texts to compare")
    arguments = parser.parse_args()
    is_paddle = importlib.util.find_spec("paddlenlp") is not None
    with tempfile.TemporaryDirectory() as scratch:
        answers = {
            "tokens": _tokens(Path(scratch, "tokens"), arguments.texts, lower_case=False),
            "lower_tokens": _tokens(Path(scratch, "lower"), arguments.texts, lower_case=True),
            **{
                head: (_paddle_outputs if is_paddle else _torch_outputs)(Path(scratch, head), head)
                for head in HEADS
                if is_paddle or head != "choice"
            },
        }
    name = "paddlenlp" if is_paddle else "transformers"
    path = Path(__file__).parent / f"ernie_m_{name}.json"
    path.write_text(json.dumps(answers, ensure_ascii=False) + "\n", encoding="utf-8")


def _tokenizer(folder: Path) -> Any:
    if importlib.util.find_spec("paddlenlp") is not None:
        from paddlenlp.transformers import ErnieMTokenizer
    else:
        from transformers import ErnieMTokenizer
    return ErnieMTokenizer.from_pretrained(str(folder))


def _tokens(folder: Path, count: int, *, lower_case: bool) -> list[tuple[str, Any, Any]]:
    """Texts with ids and places of the framework; None where it fails."""
    tokenizer_folder(folder, do_lower_case=lower_case)
    if importlib.util.find_spec("paddlenlp") is None:
        (folder / "config.json").write_text('{"transformers_version": "4"}', encoding="utf-8")
    original, encoder = _tokenizer(folder), encoder_of(folder)
    recorded, differing, unplaced = [], 0, 0
    for number, text in enumerate(random_texts(count)):
        try:
            ids = original.convert_tokens_to_ids(original.tokenize(text))
        except IndexError:  # transformers' port on a space at the end
            continue
        try:
            places = [list(place) for place in original.get_offset_mapping(text)]
        except (ValueError, IndexError, AttributeError):  # the port has lost its table
            places, unplaced = None, unplaced + 1
        [found] = encoder.tokens_with_spans([text])
        same = found.ids.tolist() == ids
        same_places = places is None or found.spans[:, :2].tolist() == places
        if not same or not same_places:
            differing += 1
            if differing <= 40:
                print(repr(text), ids, found.ids.tolist(), places, found.spans[:, :2].tolist())
        if number < RECORDED:
            recorded.append((text, ids, places))
    print(f"{differing} of {count} texts differ; {unplaced} without places", file=sys.stderr)
    return recorded


def _rounded(values: Any) -> Any:
    return np.round(np.asarray(values, np.float64), 6).tolist()


def _paddle_outputs(folder: Path, head: str) -> list[Any]:
    """PaddleNLP's outputs of each pair: logits, vectors, or two columns of scores."""
    import paddle
    import paddlenlp.transformers as classes

    paddle_folder(folder, head)
    model = getattr(classes, HEADS[head][0]).from_pretrained(str(folder))
    model.eval()
    tokenizer = _tokenizer(folder)
    found = []
    for pair in PAIRS:
        ids = tokenizer(*pair)["input_ids"]
        tensors = {
            "input_ids": paddle.to_tensor([ids]),
            "attention_mask": paddle.ones([1, len(ids)], dtype="int64"),
        }
        if head == "pointer":  # as Taskflow pads it
            missing = ROW_TOKENS - len(ids)
            positions = [*range(len(ids)), *[0] * missing]
            tensors = {
                "input_ids": paddle.to_tensor([ids + [1] * missing]),
                "position_ids": paddle.to_tensor([positions]),
            }
        with paddle.no_grad():
            if head == "choice":
                tensors = {name: values.unsqueeze(0) for name, values in tensors.items()}
                model.num_choices = 1
            outputs = model(**tensors)
        outputs = outputs if isinstance(outputs, tuple | list) else [outputs]
        arrays = [one.numpy()[0] for one in outputs[: 2 if head != "sequence" else 1]]
        if head == "pointer":
            arrays = [array[: len(ids)] for array in arrays]
        found.append([_rounded(array) for array in arrays])
    return found


def _torch_outputs(folder: Path, head: str) -> list[Any]:
    """transformers' outputs of each pair."""
    import torch
    import transformers

    port_folder(folder, head)
    name = "ErnieMForInformationExtraction" if head == "pointer" else HEADS[head][0]
    model = getattr(transformers, name).from_pretrained(str(folder)).eval()
    tokenizer = _tokenizer(folder)
    found = []
    for pair in PAIRS:
        ids = torch.tensor([tokenizer(*pair)["input_ids"]])
        with torch.inference_mode():
            outputs = model(input_ids=ids, attention_mask=torch.ones_like(ids)).to_tuple()
        found.append([_rounded(one[0]) for one in outputs[: 2 if head != "sequence" else 1]])
    return found


if __name__ == "__main__":
    main()
