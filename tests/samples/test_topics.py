"""The news topics on sentences from elsewhere."""

import json
from pathlib import Path

import pytest

from samples.cli import main
from samples.errors import DataError
from samples.generators.tnews import NAMES
from samples.paths import SAMPLE_SENTENCES
from samples.topics import read_sentences

SAMPLES = Path(__file__).parents[2] / "samples"
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def test_a_hundred_sentences_have_a_topic_of_the_classes_or_none() -> None:
    sentences = read_sentences(SAMPLE_SENTENCES)
    assert len({one.text for one in sentences}) == 100
    assert {one.topic for one in sentences} == {*NAMES.values(), None}
    trained = (SAMPLES / "data" / "tnews" / "train.json").read_text(encoding="utf-8")
    assert not [one.text for one in sentences if one.text in trained]


# One text at a time, by transformers' own classes.
def test_figures_are_those_of_single_texts(capsys: pytest.CaptureFixture[str]) -> None:
    folder = SAMPLES / "checkpoints" / "tnews"
    assert main(["topics", "--checkpoint", str(folder)]) == 0
    figures = json.loads(capsys.readouterr().out)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(str(folder)).float()
    tokenizer = transformers.BertTokenizer.from_pretrained(str(folder))
    scores: dict[str, list[float]] = {"right": [], "wrong": [], "no_topic": []}
    for sentence in read_sentences(SAMPLE_SENTENCES):
        with torch.inference_mode():
            encoded = tokenizer(sentence.text, return_tensors="pt")
            score, best = model(**encoded).logits[0].softmax(-1).max(-1)
        name = model.config.id2label[int(best)]
        kind = "right" if name == sentence.topic else "wrong" if sentence.topic else "no_topic"
        scores[kind].append(float(score))
    for kind, found in scores.items():
        assert figures[kind] == len(found)
        assert figures[f"sure_{kind}"] == sum(score >= 0.5 for score in found)
        assert figures[f"probability_{kind}"] == pytest.approx(sum(found) / len(found), abs=1e-3)
    assert figures["accuracy"] == pytest.approx(len(scores["right"]) / 76, abs=1e-4)


# What a newcomer sees: mostly sensible, and doubtful where no topic is right.
def test_the_sample_is_right_on_most_sentences_and_doubts_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["topics", "--checkpoint", str(SAMPLES / "checkpoints" / "tnews")]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["accuracy"] > 0.85
    assert figures["probability_no_topic"] < 0.3
    assert figures["sure_wrong"] + figures["sure_no_topic"] <= 6


def test_a_line_of_another_form_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lines.json"
    path.write_text('{"sentence": "好", "topic": null}\n{"sentence": "好"}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r'lines\.json:2: expected \{"sentence"'):
        read_sentences(path)
