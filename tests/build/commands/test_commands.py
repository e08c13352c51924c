"""The command line: results on stdout, one line for what the user can mend, 2 for wrong usage."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from safetensors.torch import load_file, save_file

from ernie_triton.cli import main
from ernie_triton.tasks import ENGINES, LAYOUTS, PRECISIONS, TASKS
from tests.build.load.exports import transformers_model
from tests.build.models import (
    save_paddlenlp,
    save_transformers,
    tree_of,
    vocabulary_lines,
    write_vocabulary,
)
from tests.commands import Run


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    values = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    kept = {name: value for name, value in values.items() if value is not None}
    path.write_text(json.dumps(kept), encoding="utf-8")


def cut(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


class Payload:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with something in it, in a folder of its own."""
    model = tmp_path / "beside/models/ernie_seqcls/1"
    model.mkdir(parents=True)
    (model / "manifest.json").write_text("{}")
    return model.parents[1]


@pytest.fixture
def refused(run: Run, repository: Path) -> Callable[..., str]:
    """Run a build that has to fail as one line, with the repository as it was; give the line."""

    def refused(source: Path, *options: object) -> str:
        before = tree_of(repository.parent)
        arguments = ("--checkpoint", source, "--task", "seq_cls", "--repository", repository)
        done = run("build", *arguments, *options)
        assert done.code == 1
        assert done.stdout == ""
        assert len(done.other_lines) == 1, done.stderr
        assert done.stderr.splitlines()[-1] == done.other_lines[0]
        assert tree_of(repository.parent) == before
        return done.other_lines[0]

    return refused


@pytest.fixture
def saved(tmp_path: Path, ernie: Any) -> dict[str, Path]:
    """The classifier in every format, to be spoiled."""
    return {
        "safetensors": save_transformers(ernie, tmp_path / "safetensors"),
        "bin": save_transformers(ernie, tmp_path / "bin", weights_file="pytorch_model.bin"),
        "pdparams": save_paddlenlp(ernie, tmp_path / "pdparams"),
    }


@pytest.mark.parametrize("share", [0.0, 0.1, 0.999])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("safetensors", "model.safetensors"),
        ("bin", "pytorch_model.bin"),
        ("pdparams", "model_state.pdparams"),
    ],
)
def test_a_truncated_checkpoint_is_one_line(
    saved: dict[str, Path], refused: Callable[..., str], kind: str, name: str, share: float
) -> None:
    cut(saved[kind] / name, share)
    assert refused(saved[kind]).startswith(f"error: {saved[kind] / name} is truncated or ")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.999])
def test_a_truncated_onnx_file_is_one_line(
    tmp_path: Path, exported: Path, refused: Callable[..., str], share: float
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(exported.read_bytes())
    cut(path, share)
    line = refused(path, "--vocab", write_vocabulary(tmp_path / "v", vocabulary_lines()))
    assert line.startswith(f"error: {path} is truncated or not an ONNX file")


@pytest.mark.parametrize("kind", ["safetensors", "bin", "pdparams"])
@pytest.mark.parametrize("place", ["option", "configuration"])
def test_six_labels_for_five_logits_are_one_line(
    tmp_path: Path,
    saved: dict[str, Path],
    refused: Callable[..., str],
    place: str,
    kind: str,
) -> None:
    names = [f"类{index}" for index in range(6)]
    if place == "option":
        (tmp_path / "labels").write_text("\n".join(names), encoding="utf-8")
        line = refused(saved[kind], "--labels", tmp_path / "labels")
        assert "returns 5 scores but there are 6 label names" in line
    else:
        change_config(saved[kind], id2label=dict(enumerate(names)))
        line = refused(saved[kind])
        assert "gives 5 scores but the configuration names 6 labels" in line


def test_labels_for_another_number_of_logits_of_an_unknown_graph_are_one_line(
    tmp_path: Path, exported: Path, refused: Callable[..., str]
) -> None:
    graph = onnx.load(exported)
    softmax = next(node for node in graph.graph.node if node.op_type == "Softmax")
    softmax.attribute[0].i = 2  # over the heads' queries: no encoder that we know
    onnx.save(graph, tmp_path / "model.onnx")
    (tmp_path / "labels").write_text("a\nb", encoding="utf-8")
    vocabulary = write_vocabulary(tmp_path / "v", vocabulary_lines())
    line = refused(tmp_path / "model.onnx", "--labels", tmp_path / "labels", "--vocab", vocabulary)
    assert "returns 5 scores but there are 2 label names" in line


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (vocabulary_lines(61), "has 61 tokens but the model embeds 60"),
        (vocabulary_lines()[:4], r"has 4 lines but no [UNK]"),
        (["[CLS]", "[PAD]", *vocabulary_lines()[2:]], "[PAD] at 1 but the model masks token 0"),
        ([], "has 0 lines but no"),
    ],
)
def test_another_model_s_vocabulary_is_one_line(
    saved: dict[str, Path], refused: Callable[..., str], lines: list[str], fault: str
) -> None:
    assert len(vocabulary_lines(61)) == 61
    path = write_vocabulary(saved["safetensors"] / "vocab.txt", lines)
    line = refused(saved["safetensors"])
    assert fault in line
    assert str(path) in line


def test_a_vocabulary_much_smaller_than_the_table_is_one_line(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    model = transformers_model("bert", vocab_size=300, max_position_embeddings=160)
    folder = save_transformers(model, tmp_path / "source")
    assert "has 60 tokens but the model embeds 300" in refused(folder)


def test_no_vocabulary_anywhere_is_one_line(
    saved: dict[str, Path], refused: Callable[..., str]
) -> None:
    (saved["bin"] / "vocab.txt").unlink()
    assert "no vocab.txt beside it, nor a tokenizer.json; name one with --vocab" in refused(
        saved["bin"]
    )


def test_another_architecture_s_weights_are_one_line(
    saved: dict[str, Path], refused: Callable[..., str]
) -> None:
    cnn = torch.nn.Sequential(torch.nn.Embedding(60, 24), torch.nn.Conv1d(24, 8, 3))
    state = {name: tensor.detach() for name, tensor in cnn.state_dict().items()}
    save_file(state, saved["safetensors"] / "model.safetensors")
    assert "expected one, as models of the BERT family have" in refused(saved["safetensors"])


@pytest.mark.parametrize("key", ["hidden_size", "num_attention_heads"])
def test_a_configuration_without_sizes_is_one_line(
    saved: dict[str, Path], refused: Callable[..., str], key: str
) -> None:
    change_config(saved["pdparams"], **{key: None})
    line = refused(saved["pdparams"])
    assert f"config.json: {key} is None; expected a size of at least 1" in line


@pytest.mark.parametrize(
    ("model_type", "fault"),
    [
        ("no-such-model", "is of model_type 'no-such-model'; expected bert"),
        ("vit", "is of model_type 'vit'; expected bert"),
        ("bert", "says model_type 'bert' but has ErnieForSequenceClassification"),
    ],
)
def test_a_configuration_of_another_model_is_one_line(
    saved: dict[str, Path], refused: Callable[..., str], model_type: str, fault: str
) -> None:
    change_config(saved["safetensors"], model_type=model_type)
    line = refused(saved["safetensors"])
    assert fault in line
    assert str(saved["safetensors"]) in line


def test_a_pre_trained_model_without_classifier_is_one_line(
    saved: dict[str, Path], refused: Callable[..., str]
) -> None:
    path = saved["safetensors"] / "model.safetensors"
    state = {name: part for name, part in load_file(path).items() if "classifier" not in name}
    save_file(state, path)
    assert "has no classifier.weight" in refused(saved["safetensors"])


def test_weights_that_are_not_finite_are_one_line(
    saved: dict[str, Path], refused: Callable[..., str]
) -> None:
    path = saved["safetensors"] / "model.safetensors"
    state = load_file(path)
    state["ernie.pooler.dense.bias"][3] = float("nan")
    save_file(state, path)
    assert "ernie.pooler.dense.bias holds values that are not finite" in refused(path.parent)


@pytest.mark.parametrize("kind", ["pdparams", "bin"])
def test_a_malicious_pickle_is_one_line_and_does_not_run(
    tmp_path: Path, saved: dict[str, Path], refused: Callable[..., str], ernie: Any, kind: str
) -> None:
    mark = tmp_path / "the-payload-ran"
    if kind == "pdparams":
        path = saved[kind] / "model_state.pdparams"
        content = {**pickle.loads(path.read_bytes()), "more": Payload(mark)}
        path.write_bytes(pickle.dumps(content, 4))
        expected = "asks for posix.system; expected named arrays only; nothing in it was run"
    else:
        torch.save({**ernie.state_dict(), "more": Payload(mark)}, saved[kind] / "pytorch_model.bin")
        expected = "holds more than weights"
    assert expected in refused(saved[kind])
    assert not mark.exists()


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("--max-length", 161), "max_length is 161 but the model has positions for 160 tokens"),
        (("--max-length", 1), "max_length is 1; expected at least 2"),
        (("--engine", "onnxruntime", "--precision", "bf16"), "the engine onnxruntime has no bf16"),
        (("--name", "a/b"), "a model's name has letters"),
        (("--version", 0), "version is 0; expected at least 1"),
        (("--threads", -1), "threads is -1; expected at least 0"),
        (("--max-batch-size", 0), "max_batch_size is 0; expected at least 1"),
        (("--texts", "/no/such/file"), "the file of sample texts /no/such/file cannot be read"),
        (("--labels", "/no/such/file"), "the label file /no/such/file cannot be read"),
        (("--vocab", "/no/such/file"), "the vocabulary /no/such/file cannot be read"),
    ],
)
def test_what_does_not_fit_the_model_is_one_line(
    checkpoint: Path, refused: Callable[..., str], options: tuple[object, ...], fault: str
) -> None:
    assert fault in refused(checkpoint, *options)


def test_a_pair_for_a_model_of_one_token_type_is_one_line(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    model = transformers_model("bert", type_vocab_size=1, max_position_embeddings=160)
    folder = save_transformers(model, tmp_path / "source")
    assert "pairs need two token types and the model has one" in refused(folder, "--pair")


def test_nothing_at_the_path_is_one_line(tmp_path: Path, refused: Callable[..., str]) -> None:
    assert "does not exist" in refused(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "holds no checkpoint" in refused(tmp_path / "empty")


def test_a_repository_that_cannot_be_written_is_one_line(
    tmp_path: Path, checkpoint: Path, run: Run
) -> None:
    (tmp_path / "models").write_text("a file")
    arguments = ("--checkpoint", checkpoint, "--task", "seq_cls")
    done = run("build", *arguments, "--repository", tmp_path / "models")
    assert done.code == 1
    assert len(done.other_lines) == 1
    assert "cannot be written" in done.other_lines[0]
    assert tree_of(tmp_path) == {"models": b"a file"}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("task = ", "cannot be read as TOML"),
        ('task = "seq_cls"', "the key 'checkpoint' is missing"),
        ('tsk = "seq_cls"', "unknown key 'tsk'"),
    ],
)
def test_a_pipeline_file_that_is_wrong_is_one_line(
    tmp_path: Path, run: Run, content: str, fault: str
) -> None:
    (tmp_path / "pipeline.toml").write_text(content, encoding="utf-8")
    done = run("build", tmp_path / "pipeline.toml")
    assert (done.code, done.stdout, len(done.other_lines)) == (1, "", 1)
    assert fault in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["bild"],
        ["build"],
        ["build", "a", "--checkpoint", "b", "--task", "seq_cls"],
        ["build", "--checkpiont", "a"],
        ["build", "--check", "a"],
        ["build", "--checkpoint", "a", "--task", "seq_class", "--repository", "b"],
        ["build", "a.toml", "--max-length", "many"],
        ["build", "a.toml", "--engine", "tensorflow"],
        ["inspect"],
        ["inspect", "a", "b"],
        ["benchmark", "--shape", "gigantic"],
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "error: " in captured.err


def test_help_names_every_choice_and_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["build", "--help"])
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for choice in (*ENGINES, *LAYOUTS, *PRECISIONS, "seq_cls"):
        assert choice in text
    for default in (
        "checkpoint says, or 128)",
        "(default auto)",
        "(default 64)",
        "(default 256)",
    ):
        assert default in text


def test_inspect_prints_the_facts_and_builds_nothing(checkpoint: Path, run: Run) -> None:
    before = tree_of(checkpoint)
    done = run("inspect", checkpoint)
    assert (done.code, done.stderr) == (0, "")
    facts = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert facts["source"] == f"transformers checkpoint (model.safetensors), {checkpoint}"
    assert facts["labels"] == "财经, 体育, 娱乐, 科技, 其他"
    assert tree_of(checkpoint) == before


def test_inspect_of_a_pipeline_file_is_of_its_checkpoint(
    tmp_path: Path, checkpoint: Path, run: Run
) -> None:
    path = tmp_path / "p.toml"
    content = f'task = "embedding"\ncheckpoint = "{checkpoint}"\nrepository = "r"\n'
    path.write_text(content, encoding="utf-8")
    done = run("inspect", path)
    assert (done.code, done.stderr) == (0, "")
    facts = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert facts["source"].endswith(f", {checkpoint}")
    assert facts["task"] == "embedding"


def test_inspect_of_nothing_is_one_line(tmp_path: Path, run: Run) -> None:
    done = run("inspect", tmp_path / "nowhere")
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr == f"error: the checkpoint {tmp_path / 'nowhere'} does not exist\n"


def test_an_engine_that_misses_the_source_is_one_line(
    checkpoint: Path, refused: Callable[..., str]
) -> None:
    line = refused(checkpoint, "--precision", "bf16", "--tolerance", "1e-9")
    assert "the bf16 engine differs from transformers" in line
    assert "more than the 1e-09 allowed: sample text" in line


def without_torch(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command in a process that has neither torch nor transformers nor Paddle."""
    hidden = "sys.modules.update(dict.fromkeys(('torch', 'transformers', 'paddle')))"
    code = f"import sys; {hidden}; from ernie_triton.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_build_needs_neither_torch_nor_transformers(tmp_path: Path, checkpoint: Path) -> None:
    arguments = ("--checkpoint", checkpoint, "--task", "seq_cls", "--repository", tmp_path)
    done = without_torch("build", *arguments)
    assert (done.returncode, "against NumPy in float64" in done.stdout) == (0, True), done.stderr


def test_a_checkpoint_alone_is_built_into_the_default_repository(
    tmp_path: Path, checkpoint: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("build", checkpoint)
    assert done.code == 0, done.stderr
    assert done.steps[:2] == ["task", "read"]
    assert (
        "seq_cls, by its architecture ErnieForSequenceClassification; --task names" in done.stderr
    )
    assert (tmp_path / "model_repository" / "ernie_seqcls" / "config.pbtxt").is_file()


def test_a_checkpoint_that_does_not_say_its_task_is_asked_for_it(
    saved: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    change_config(saved["pdparams"], architectures=["ErnieForMaskedLM"])
    with pytest.raises(SystemExit) as caught:
        main(["build", str(saved["pdparams"])])
    assert caught.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "error: " in line
    assert "(its architecture is ErnieForMaskedLM)" in line
    assert line.endswith(f"--task {'|'.join(TASKS)}")


def test_a_bin_is_read_without_torch(saved: dict[str, Path]) -> None:
    done = without_torch("inspect", saved["bin"])
    assert (done.returncode, done.stderr) == (0, "")
    assert "pytorch_model.bin" in done.stdout


def test_several_pipelines_are_built_in_one_run(
    tmp_path: Path, saved: dict[str, Path], run: Run
) -> None:
    files = []
    for name in ("first", "second"):
        files.append(tmp_path / f"{name}.toml")
        lines = (f'checkpoint = "{saved["safetensors"]}"', 'task = "seq_cls"', f'name = "{name}"')
        files[-1].write_text("\n".join((*lines, 'repository = "models"', "")), encoding="utf-8")
    options = ("--engine", "onnxruntime", "--max-length", 32)
    missing = tmp_path / "missing"
    done = run("build", *files, missing, *options)
    # What was built before an error stays.
    assert done.code == 1
    assert f"the checkpoint {missing} does not exist" in done.other_lines[-1]
    assert done.other_lines[:-1] == [f"{path}:" for path in (*files, missing)]
    assert {path.name for path in (tmp_path / "models").iterdir()} == {"first", "second"}
    for option in ("--name", "--checkpoint"):
        with pytest.raises(SystemExit):
            run("build", *files, option, "one")
