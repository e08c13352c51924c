"""Students of a teacher: their texts, their vocabularies, and the whole way on a few lines."""

import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from ernie_triton.build.torch_models.checkpoints import load_model, load_tokenizer
from ernie_triton.cli import main as ernie_triton
from samples.cli import main
from samples.distillation.near_words import NearWords
from samples.distillation.new_texts import clauses_of, new_texts, short_cuts, short_texts
from samples.distillation.ngrams import RunScorer
from samples.distillation.students import (
    chosen_pieces,
    narrowed,
    vectors_of_entries,
    with_pieces,
)
from samples.distillation.vectors import LinearScorer, text_vectors
from samples.generators.tnews import NAMES
from samples.paths import SAMPLE_VOCABULARY
from samples.real.base import document_of
from tests.samples.real_package import write_base_package, write_package

PIECES = ["\u2581", "很好", "很", "好", "不", "不好", "买", ",", "罕", "\u2581很好"]


def small_base(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write our packages' data sets and base into a folder; returns the base's."""
    write_package(folder, monkeypatch)
    write_base_package(folder, monkeypatch)
    assert main(["real", "--output", str(folder), "--base", "2"]) == 0
    return folder / "base"


def test_new_texts_are_clauses_of_one_text_or_two() -> None:
    texts = ["屏幕不错，就是电池不经用！发热也厉害。", "书很好", "快递快 … 纸也好~"]
    assert [clauses_of(text) for text in texts] == [
        ["屏幕不错，", "就是电池不经用！", "发热也厉害。"],
        ["书很好"],
        ["快递快 … ", "纸也好~"],
    ]
    known = {clause.strip() for text in texts for clause in clauses_of(text)}
    made = list(new_texts(texts, 20, Random(0)))
    assert len(made) == 60
    assert {clause.strip() for text in made for clause in clauses_of(text)} <= known | {
        f"书很好{clause}" for clause in known
    }
    assert len(set(made)) > 20
    assert made == list(new_texts(texts, 20, Random(0)))


def test_short_texts_are_one_clause_or_two_neighbours() -> None:
    text = "屏幕不错，就是电池不经用！发热也厉害。"
    one = ["屏幕不错，", "就是电池不经用！", "发热也厉害。"]
    made = list(short_texts([text], 60, Random(0)))
    assert len(made) == 60
    assert set(made) == {*one, one[0] + one[1], one[1] + one[2]}


def test_words_are_exchanged_for_those_with_the_most_similar_vectors() -> None:
    document = document_of([(piece, -1.0 - at) for at, piece in enumerate(PIECES)])
    names = [piece for piece, _ in json.loads(document)["model"]["vocab"]]
    vectors = np.zeros((len(names), 12), np.float32)
    vectors[np.arange(len(names)), np.arange(len(names)) % 12] = 1
    words = NearWords(document, vectors)
    assert list(words.exchanged(["不好, 买"], 0.0, Random(0))) == ["不好, 买"]
    ideographs = {name.removeprefix("\u2581") for name in names} - {"", ","}
    for made in words.exchanged(["不好,买"] * 30, 1.0, Random(0)):
        first, sign, second = made.partition(",")
        assert sign
        assert {first.strip(), second.strip()} <= ideographs
        assert first != "不好"
        assert second != "买"


def test_short_cuts_are_a_run_of_clauses_of_at_most_sixty_characters() -> None:
    texts = ["屏幕不错，就是电池不经用！发热也厉害。", "长" * 70, "短，" + "长" * 70]
    cuts = list(short_cuts(texts * 20, Random(0)))
    assert set(cuts[::3]) == {
        *("屏幕不错，", "就是电池不经用！", "发热也厉害。"),
        *("屏幕不错，就是电池不经用！", "就是电池不经用！发热也厉害。", texts[0]),
    }
    assert set(cuts[1::3]) == {"长" * 60}
    assert set(cuts[2::3]) == {"短，"}


def test_a_student_keeps_characters_and_the_most_frequent_pieces() -> None:
    document = document_of([(piece, -float(len(PIECES) - at)) for at, piece in enumerate(PIECES)])
    texts = ["不好，不好，不好", "很好", "买", "买，罕"]
    kept = chosen_pieces(document, texts, 12)
    names = [piece for piece, _ in json.loads(document)["model"]["vocab"]]
    assert [names[piece] for piece in kept] == [
        *("<s>", "<pad>", "</s>", "<unk>", "\u2581", "好", "不", "不好", "买", ",", "<mask>"),
    ]
    student = Tokenizer.from_str(with_pieces(document, kept))
    row = student.encode("不好，很好")
    assert [names[kept[piece]] for piece in row.ids] == [
        "<s>",
        "\u2581",
        "不好",
        ",",
        "<unk>",
        "好",
        "</s>",
    ]
    assert max(student.get_vocab().values()) == len(kept) - 1


def test_narrowed_vectors_keep_their_distances_where_the_width_suffices() -> None:
    random = np.random.default_rng(0)
    table = random.normal(size=(50, 3)) @ random.normal(size=(3, 16))
    found = narrowed(table, 3)
    assert found.shape == (50, 3)

    for first in range(50):
        distances, wanted = (
            np.linalg.norm(vectors - vectors[first], axis=-1) for vectors in (found, table)
        )
        assert np.allclose(distances, wanted, atol=1e-4)


def test_runs_of_characters_tell_what_their_texts_were_labelled() -> None:
    texts = [f"{number}号{word}" for number in range(40) for word in ("很好", "坏了")]
    scorer = RunScorer(texts, [0, 1] * 40, 2, seed=0)
    found = scorer.scores(["这本书很好", "又坏了", "没有人"])
    assert found.shape == (3, 2)
    assert found[:2].argmax(axis=1).tolist() == [0, 1]
    assert np.array_equal(found[2], [0.0, 0.0])


def test_a_student_learns_from_a_teacher_that_began_with_the_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base = small_base(tmp_path, monkeypatch)
    data, teacher, output = (tmp_path / name for name in ("reviews", "teacher", "checkpoint"))
    words = ["finetune", "seq_cls", "--checkpoint", str(base), "--data", str(data)]
    assert ernie_triton([*words, "--output", str(teacher), "--epochs", "1"]) == 0
    capsys.readouterr()
    command = ["train", "reviews", "--data", str(data), "--output", str(output)]
    command += ["--format", "transformers", "--epochs", "1"]
    assert main(command) == 1
    assert "learns from a fine-tuned model" in capsys.readouterr().err
    assert main([*command, "--teacher", str(teacher)]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["held_out_lines"] == 4
    names = {path.name for path in output.iterdir()}
    assert names == {
        *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
        "training.json",
    }
    assert {array.dtype for array in load_file(output / "model.safetensors").values()} == {
        np.dtype(np.float16)
    }
    student = load_model(output, task="seq_cls")
    settings = json.loads((output / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert settings["model_max_length"] == student.config.max_position_embeddings
    tokenizer = load_tokenizer(output, max_length=16)
    assert len(student.get_input_embeddings().weight) == tokenizer.vocabulary_size
    assert not (tmp_path / "checkpoint.work").exists()


def test_vectors_are_the_means_of_the_bases_tokens_and_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = small_base(tmp_path, monkeypatch)
    texts = ["第3次买了，很好", "坏了", "买了就坏了，世界第1"]
    found = text_vectors(base, texts, max_length=32, kept=tmp_path / "kept")
    encoder = load_model(base, task="embedding")
    tokenizer = load_tokenizer(base, max_length=32)
    for text, vector in zip(texts, found, strict=True):
        ids = torch.from_numpy(tokenizer.encode([f"query: {text}"]).input_ids.astype(np.int64))
        with torch.no_grad():
            wanted = encoder(ids[None])[0][0].mean(0)
        assert torch.nn.functional.cosine_similarity(wanted, torch.tensor(vector), 0) > 0.999
    [kept] = (tmp_path / "kept").iterdir()
    np.save(kept, found + 1)
    again = text_vectors(base, texts, max_length=32, kept=tmp_path / "kept")
    assert np.array_equal(again, found + 1)


def test_a_linear_model_finds_the_classes_of_far_vectors_and_doubts_those_between() -> None:
    random = np.random.default_rng(0)
    centres = np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 5.0]], np.float32)
    labels = [0, 1, 2] * 30
    vectors = centres[labels] + random.normal(scale=0.3, size=(90, 2)).astype(np.float32)
    scorer = LinearScorer(vectors, labels, 3)
    assert scorer.scores(centres).argmax(axis=1).tolist() == [0, 1, 2]
    between = scorer.scores(np.zeros((1, 2), np.float32))[0]
    assert between[0] == pytest.approx(between[1], abs=0.3)


def test_an_entry_of_a_vocabulary_has_the_mean_vector_of_its_teachers_pieces(
    tmp_path: Path,
) -> None:
    document = document_of([(piece, -float(len(PIECES) - at)) for at, piece in enumerate(PIECES)])
    teacher, student = tmp_path / "teacher", tmp_path / "student"
    for folder, name, text in (
        (teacher, "tokenizer.json", document),
        (student, "vocab.txt", "[PAD]\n好\n##买\n"),
    ):
        folder.mkdir()
        (folder / name).write_text(text, encoding="utf-8")
    names = [piece for piece, _ in json.loads(document)["model"]["vocab"]]
    table = np.arange(2.0 * len(names), dtype=np.float32).reshape(-1, 2)
    found = vectors_of_entries(student, teacher, table)
    assert found.shape == (3, 2)
    for row, character in ((1, "好"), (2, "买")):
        spelt = [names.index("\u2581"), names.index(character)]
        assert np.array_equal(found[row], table[spelt].mean(axis=0))


def test_a_student_of_topics_learns_from_a_base_in_its_own_vocabulary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base = small_base(tmp_path, monkeypatch)
    data, output = tmp_path / "data" / "tnews", tmp_path / "checkpoint"
    assert main(["generate", "tnews", "--output", str(data), "--train", "40", "--dev", "8"]) == 0
    command = ["train", "tnews", "--data", str(data), "--output", str(output)]
    command += ["--format", "transformers", "--epochs", "1", "--limit", "20"]
    for missing in ("--teacher", "--texts"):
        capsys.readouterr()
        assert main(command) == 1
        assert missing in capsys.readouterr().err
        command += [missing, str(base if missing == "--teacher" else tmp_path)]
    assert main(command) == 0
    said = capsys.readouterr()
    record = json.loads(said.out)
    assert (record["train_lines"], record["dev_lines"]) == (20, 8)
    # Titles, twice, drawn lines and cuts of others' texts, some of which are equal.
    assert 60 < int(said.err.split(" texts to learn from")[0].split()[-1]) <= 80
    assert (output / "vocab.txt").read_bytes() == SAMPLE_VOCABULARY.read_bytes()
    config = json.loads((output / "config.json").read_text(encoding="utf-8"))
    assert list(config["id2label"].values()) == list(NAMES.values())
    weights = load_file(output / "model.safetensors")
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float16)}
    student = load_model(output, task="seq_cls")
    tokenizer = load_tokenizer(output, max_length=96)
    ends = []
    for line in (data / "dev.json").read_text(encoding="utf-8").splitlines():
        ids = tokenizer.encode([json.loads(line)["sentence"]]).input_ids.astype(np.int64)
        with torch.no_grad():
            scores = student(torch.from_numpy(ids)[None]).logits
        ends.append(float(scores.max() + scores.min()))
    assert np.mean(ends) == pytest.approx(0, abs=0.02)
    files = ["--checkpoint", str(output), "--data", str(data / "dev.json")]
    assert main(["evaluate", "tnews", *files]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured == {name: record[f"dev_{name}"] for name in measured}
