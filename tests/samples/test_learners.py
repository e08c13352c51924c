import json
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from samples.encoding import load_tokenizer
from samples.errors import DataError
from samples.examples import Example
from samples.learners.embedder import Embedder, embed
from samples.learners.reader import MAX_LENGTH, Answer, Reader, answer_questions
from samples.learners.regressor import Regressor
from samples.learners.tagger import IGNORED, Tagger
from samples.msra_ner import MSRA_NER
from samples.recipes import RECIPES

if TYPE_CHECKING:
    from transformers import BertTokenizer

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SAMPLES = Path(__file__).parents[2] / "samples"
CHECKPOINTS = SAMPLES / "checkpoints"


@pytest.fixture(scope="module")
def tokenizer() -> "BertTokenizer":
    return load_tokenizer(CHECKPOINTS / "tnews")


def test_only_the_first_piece_of_a_word_has_a_label(tokenizer: "BertTokenizer") -> None:
    text = "在Javascripty 公司５号"
    labels = ["O", *["B-ORG"], *["I-ORG"] * 13, "O", "O"]
    assert len(labels) == len(text)
    learner = Tagger(labels=MSRA_NER.labels)
    batch = learner.encode(tokenizer, [Example(texts=(text,), target=tuple(labels))])
    tokens = tokenizer.convert_ids_to_tokens(batch["input_ids"][0].tolist())
    found = dict(zip(tokens, batch["labels"][0].tolist(), strict=True))
    assert found["[CLS]"] == found["[SEP]"] == IGNORED
    assert all(label == IGNORED for token, label in found.items() if token.startswith("##"))
    ids = {label.label: index for index, label in enumerate(MSRA_NER.labels)}
    assert (found["在"], found["公"], found["号"]) == (ids["O"], ids["I-ORG"], ids["O"])
    assert [label for label in found.values() if label == ids["B-ORG"]] == [ids["B-ORG"]]


def long_example() -> Example[Answer]:
    filler = "园内种着很多大树。" * 30
    context = f"{filler}门票为35元。{filler}"
    answer = Answer(text="35元", start=context.index("35元"))
    return Example(texts=("门票多少钱？", context), target=answer)


# A context of 548 characters takes several windows: the answer's tokens are marked in each window
# that holds all of it, and [CLS] in every other.
def test_windows_mark_the_answer_or_cls(tokenizer: "BertTokenizer") -> None:
    batch = Reader().encode(tokenizer, [long_example()])
    rows, longest = batch["input_ids"].shape
    assert (rows > 3, longest) == (True, MAX_LENGTH)
    marked = set()
    for ids, start, end in zip(batch["input_ids"], batch["starts"], batch["ends"], strict=True):
        marked.add(str(tokenizer.decode(ids[start : end + 1])).replace(" ", ""))
    assert marked == {"[CLS]", "35元"}


# Every sentence of the changed context stood in the first one, and the answer stands at its place.
def test_shuffled_contexts_keep_the_answer() -> None:
    examples = Reader().read(SAMPLES / "data" / "cmrc2018" / "dev.json")
    rng = Random(0)
    moved = lost = 0
    for example in examples:
        varied = Reader().vary(example, rng)
        sentences = varied.texts[1].split("。")
        assert set(sentences) <= set(example.texts[1].split("。"))
        assert sentences[0] == example.texts[1].split("。")[0]
        start = varied.target.start
        moved += start is not None and start != example.target.start
        lost += start is None and example.target.start is not None
        if start is not None:
            assert varied.texts[1].startswith(example.target.text, start)
    assert moved > 0.5 * len(examples)
    assert 0 < lost < 0.2 * len(examples)


# The windows of a long context are merged: one question's answer does not depend on the others.
def test_answers_do_not_depend_on_the_batch(tokenizer: "BertTokenizer") -> None:
    learner = Reader()
    examples = learner.read(SAMPLES / "data" / "cmrc2018" / "dev.json")[:12]
    torch.manual_seed(0)
    model = transformers.ErnieForQuestionAnswering(
        transformers.ErnieConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=MAX_LENGTH,
        )
    ).eval()
    with torch.inference_mode():
        together = answer_questions(model, tokenizer, examples)
        alone = [answer_questions(model, tokenizer, [example])[0] for example in examples]
    assert together == alone


def test_padding_does_not_change_a_vector() -> None:
    folder = CHECKPOINTS / "sentence_pairs"
    model = transformers.ErnieModel.from_pretrained(str(folder)).eval()
    tokenizer = load_tokenizer(folder)
    example = Example(texts=("花呗怎么还", "我想问一下花呗到期以后能不能推迟几天再还"), target=True)
    swapped = Example(texts=(example.texts[1], example.texts[0]), target=True)
    with torch.inference_mode():
        batch = Embedder().encode(tokenizer, [example, swapped])
        batch.pop("labels")
        vectors = embed(model, batch)
        alone = embed(model, dict(tokenizer("花呗怎么还", return_tensors="pt")))
    assert torch.allclose(vectors.norm(dim=-1), torch.ones(4))
    assert torch.allclose(vectors[0], alone[0], atol=1e-6)
    assert torch.allclose(vectors[0], vectors[3], atol=1e-6)


@pytest.mark.parametrize(
    ("task", "record", "message"),
    [
        ("msra_ner", {"tokens": ["张三"], "labels": ["O"]}, "one character each"),
        ("msra_ner", {"tokens": ["张"], "labels": []}, "1 tokens and 0 labels"),
        ("msra_ner", {"tokens": ["张"], "labels": ["B-GPE"]}, "B-GPE"),
        ("multi_label", {"sentence": "句", "labels": ["weather"]}, "weather"),
        ("similarity", {"sentence1": "句", "sentence2": "句", "score": 3}, "from 0 to 1"),
        ("sentence_pairs", {"sentence1": "句", "label": "1"}, "lacks .'sentence2'."),
        ("cmrc2018", {"data": [{"paragraphs": [{"context": "句"}]}]}, "SQuAD"),
    ],
)
def test_a_line_of_another_format_is_named(
    task: str, record: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=message) as error:
        RECIPES[task].learner.read(path)
    assert str(path) in str(error.value)


def test_an_answer_at_another_place_is_refused(tmp_path: Path) -> None:
    qa = {"id": "Q", "question": "谁？", "answers": [{"text": "甲", "answer_start": 1}]}
    paragraph = {"id": "P", "context": "甲乙丙", "qas": [qa]}
    path = tmp_path / "dev.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}), encoding="utf-8")
    with pytest.raises(DataError, match="does not stand at 1"):
        Reader().read(path)


def test_scores_are_read_as_they_are() -> None:
    path = SAMPLES / "data" / "similarity" / "dev.json"
    first = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    assert Regressor().read(path)[0].target == first["score"]
