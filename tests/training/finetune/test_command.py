"""The command line from data to a checkpoint that builds."""

import json
import shlex
from pathlib import Path

import pytest

from ernie_triton.cli import main as ernie_triton
from ernie_triton.training.loop.trainer import ResumableTrainer
from tests.commands import command
from tests.training.tiny import data_folder, write_base

main = command("finetune")

FAST = ("--epochs", "1", "--batch-size", "16", "--precision", "fp32", "--max-seq-length", "48")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("base"))


def options(base: Path, data: Path, output: Path) -> list[str]:
    return ["--checkpoint", str(base), "--data", str(data), "--output", str(output), *FAST]


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("seq_cls", "afqmc"),
        ("regression", "similarity"),
        ("token_cls", "msra_ner"),
        ("qa", "cmrc2018"),
        ("embedding", "sentence_pairs"),
        ("extraction", "extraction"),
    ],
)
def test_what_is_printed_last_builds_the_pipeline(
    base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], task: str, name: str
) -> None:
    count = {"qa": 4, "extraction": 8}.get(task, 32)
    data = data_folder(tmp_path / "data", name, train=count, dev=count)
    if task == "qa":
        _close_document(data)
    output = tmp_path / "tuned"
    assert main([task, *options(base, data, output)]) == 0
    captured = capfd.readouterr()
    words = [line.split(maxsplit=1) for line in captured.out.splitlines()]
    assert [word for word, _ in words] == ["data", "metric", "time", "output", "next"]
    assert not (tmp_path / "tuned.work").exists()
    assert {"model.safetensors", "vocab.txt", "training.json", "curve.png"} <= {
        path.name for path in output.iterdir()
    }
    record = json.loads((output / "training.json").read_text(encoding="utf-8"))
    assert f"{record['metric']} {record['points']:.2f}" in words[1][1]
    command = shlex.split(words[-1][1])
    assert command[:3] == ["ernie-triton", "build", str(output)]
    command[command.index("model_repository")] = str(tmp_path / "repository")
    assert ernie_triton(command[1:]) == 0
    assert "exactness largest difference" in capfd.readouterr().out


def _close_document(folder: Path) -> None:
    """A document of a few lines needs its end again."""
    for path in folder.glob("*.json"):
        content = path.read_text(encoding="utf-8").rstrip().rstrip(",")
        path.write_text(f"{content}\n]}}\n", encoding="utf-8")


def test_the_toolkits_spelling_and_the_houses_are_one(base: Path, tmp_path: Path) -> None:
    data = data_folder(tmp_path / "data", "tnews", train=32, dev=16)
    common = ("--data", str(data), "--precision", "fp32")
    toolkit = [
        *("--model_name_or_path", str(base), "--output_dir", str(tmp_path / "a"), *common),
        *("--max_seq_length", "32", "--learning_rate", "1e-3", "--num_train_epochs", "2"),
        *("--per_device_train_batch_size", "8", "--warmup_ratio", "0.2", "--seed", "5"),
        *("--weight_decay", "0.1", "--max_grad_norm", "2", "--early_stopping_patience", "3"),
        *("--gradient_accumulation_steps", "2", "--label_smoothing", "0.1", "--dataset", "tnews"),
    ]
    house = [
        *("--checkpoint", str(base), "--output", str(tmp_path / "b"), *common),
        *("--max-seq-length", "32", "--learning-rate", "1e-3", "--epochs", "2"),
        *("--batch-size", "8", "--warmup-ratio", "0.2", "--seed", "5"),
        *("--weight-decay", "0.1", "--max-grad-norm", "2", "--early-stopping", "3"),
        *("--gradient-accumulation-steps", "2", "--label-smoothing", "0.1"),
    ]
    assert ernie_triton(["finetune", "seq_cls", *toolkit]) == 0
    assert main(["seq_cls", *house]) == 0
    one, other = (
        json.loads((tmp_path / name / "training.json").read_text(encoding="utf-8")) for name in "ab"
    )
    assert one["schedule"] == other["schedule"]
    assert one["schedule"]["accumulation_steps"] == 2
    assert (one["max_length"], one["points"]) == (32, other["points"])
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in "ab"]
    assert weights[0] == weights[1]


def test_lines_left_out_are_counted_and_the_rest_is_written_for_the_clients(
    base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = data_folder(tmp_path / "data", "afqmc", train=0, dev=0)
    (data / "labels.json").unlink()
    pair = {"sentence1": "新的权利", "sentence2": "新的福利"}
    lines = [{**pair, "label": label} for label in ("neutral", "-", "entailment", "contradiction")]
    for split in ("train", "dev"):
        content = "".join(json.dumps(line) + "\n" for line in lines)
        (data / f"{split}.json").write_text(content, encoding="utf-8")
    assert main(["seq_cls", *options(base, data, tmp_path / "out")]) == 0
    captured = capfd.readouterr()
    assert captured.out.count("1 of 4 lines left out, labelled '-'") == 2
    assert captured.err.count("1 of 4 lines left out, labelled '-'") == 2
    written = (tmp_path / "out/dev.json").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["label"] for line in written] == [
        "neutral",
        "entailment",
        "contradiction",
    ]


def test_nothing_is_trained_where_something_is_wrong(
    base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(ResumableTrainer, "run")
    data = data_folder(tmp_path / "data", "tnews", train=8, dev=8)
    output = tmp_path / "out"
    good = options(base, data, output)

    def error(arguments: list[str], task: str = "seq_cls") -> str:
        assert main([task, *arguments]) == 1
        captured = capfd.readouterr()
        assert captured.out == ""
        line = captured.err.splitlines()[-1]
        assert line.startswith("error: ")
        assert not (tmp_path / "out.work").exists()
        return line.removeprefix("error: ")

    assert error(good, "qa").startswith(f"{data}/train.json:2: no JSON: ")
    assert "lr" not in error([*good, "--learning-rate", "0"])
    assert "learning_rate is 0.0; expected above 0" in error([*good, "--learning-rate", "0"])
    assert "has positions for 160 tokens" in error([*good, "--max-seq-length", "161"])
    assert "nowhere" in error([*good, "--checkpoint", str(tmp_path / "nowhere")])
    output.mkdir()
    (output / "a").touch()
    assert error(good).startswith(f"{output} exists; name another folder")


def test_wrong_usage_is_told_apart() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["seq_cls", "--learningrate", "1"])
    assert caught.value.code == 2
