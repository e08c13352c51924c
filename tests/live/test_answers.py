"""What the server answers is what the checkpoint answers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import transformers
from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

from ernie_triton.client.tasks.seq_cls import SeqClsClient
from ernie_triton.server.embedded import EmbeddedServer
from tests.paths import ROOT
from tests.samples.test_checkpoints import model_from_paddle

pytestmark = pytest.mark.live

TNEWS = ROOT / "samples" / "checkpoints" / "tnews"
AFQMC = ROOT / "samples" / "checkpoints" / "afqmc"


def _lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _own_scores(
    model: transformers.PreTrainedModel, vocab: Path, texts: list[str], pairs: list[str] | None
) -> list[npt.NDArray[np.float32]]:
    """The checkpoint's probabilities in its own framework, one text at a time."""
    tokenizer: Any = BertTokenizerLegacy(vocab_file=str(vocab), do_lower_case=True)
    scores = []
    for index, text in enumerate(texts):
        pair = None if pairs is None else pairs[index]
        tokens = tokenizer(
            text,
            pair,
            truncation=True,
            max_length=128,
            return_tensors="pt",
            return_token_type_ids=True,
        )
        with torch.inference_mode():
            scores.append(torch.softmax(model(**tokens).logits[0], -1).numpy())
    return scores


@pytest.mark.parametrize(
    ("model", "tolerance"), [("ernie_seqcls", 1e-4), ("tnews_padded", 1e-4), ("tnews_bf16", 2e-2)]
)
def test_scores_equal_those_of_the_checkpoint(
    server: EmbeddedServer, model: str, tolerance: float
) -> None:
    texts = [line["sentence"] for line in _lines(ROOT / "samples/data/tnews/dev.json")][:60]
    texts += ["", "好", "Ａ１ café ǅ 😀👩‍👩‍👧", "数" * 200, "a" * 300, "[SEP] 你好 [MASK]"]
    own = transformers.AutoModelForSequenceClassification.from_pretrained(TNEWS).eval()
    expected = _own_scores(own, TNEWS / "vocab.txt", texts, None)
    with SeqClsClient(server.url, model) as client:
        found = client.classify(texts, top_k=15)
    for text, answer, scores in zip(texts, found, expected, strict=True):
        by_id = {label.id: label.score for label in answer.labels}
        differences = [abs(by_id[index] - score) for index, score in enumerate(scores)]
        assert max(differences) < tolerance + 1e-6, text


def test_dev_accuracy_of_single_texts_equals_the_checkpoints(client: SeqClsClient) -> None:
    lines = _lines(ROOT / "samples/data/tnews/dev.json")
    texts = [line["sentence"] for line in lines]
    own = transformers.AutoModelForSequenceClassification.from_pretrained(TNEWS).eval()
    expected = [int(s.argmax()) for s in _own_scores(own, TNEWS / "vocab.txt", texts, None)]
    answers = client.classify(texts)
    assert [answer.best.id for answer in answers] == expected
    right = sum(a.best.name == line["label_desc"] for a, line in zip(answers, lines, strict=True))
    recorded = json.loads((TNEWS / "training.json").read_text(encoding="utf-8"))
    assert right / len(lines) == pytest.approx(recorded["dev_accuracy"], abs=1e-4)


def test_dev_accuracy_of_pairs_equals_the_checkpoints(server: EmbeddedServer) -> None:
    lines = _lines(ROOT / "samples/data/afqmc/dev.json")
    firsts = [line["sentence1"] for line in lines]
    seconds = [line["sentence2"] for line in lines]
    own = model_from_paddle(AFQMC)
    expected = [int(s.argmax()) for s in _own_scores(own, AFQMC / "vocab.txt", firsts, seconds)]
    with SeqClsClient(server.url, "ernie_seqcls_pair") as client:
        answers = client.classify(firsts, seconds)
    assert [answer.best.id for answer in answers] == expected
    right = sum(a.best.id == int(line["label"]) for a, line in zip(answers, lines, strict=True))
    recorded = json.loads((AFQMC / "training.json").read_text(encoding="utf-8"))
    assert right / len(lines) == pytest.approx(recorded["dev_accuracy"], abs=1e-4)


def test_plain_reviews_are_told_apart(server: EmbeddedServer) -> None:
    content = ["杯子做工精致，颜色也漂亮，朋友看了都说好。", "宾馆位置方便，服务热情，值得推荐。"]
    content += ["质量很好，颜色漂亮，女儿非常喜欢。", "很好"]
    others = ["才用一周就坏了，客服还一直推脱。", "房间又脏又吵，服务员爱理不理，太失望了。"]
    others += ["内容空洞，错字连篇，看不下去。", "不好"]
    with SeqClsClient(server.url, "ernie_sentiment") as client:
        answers = client.classify([*content, *others], top_k=2)
    names = [answer.best.name for answer in answers]
    assert names == ["positive"] * len(content) + ["negative"] * len(others)
    assert {label.name for answer in answers for label in answer.labels} == {"positive", "negative"}


def test_a_long_text_is_cut_and_says_so(client: SeqClsClient) -> None:
    fits, cut = client.classify(["数" * 126, "数" * 127])
    assert not fits.truncated
    assert cut.truncated
    assert cut.best.score == pytest.approx(fits.best.score, abs=1e-4)
