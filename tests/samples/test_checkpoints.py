import json
import pickletools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

from samples.cli import main
from samples.learners.embedder import Embedder, pair_cosines

if TYPE_CHECKING:
    from transformers import ErnieForSequenceClassification

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SAMPLES = Path(__file__).parents[2] / "samples"
CHECKPOINTS = SAMPLES / "checkpoints"
TRANSFORMERS_FILES = {"config.json", "model.safetensors"}
PADDLE_FILES = {"config.json", "model_state.pdparams", "special_tokens_map.json"}
FILES = {
    "tnews": TRANSFORMERS_FILES,
    "afqmc": PADDLE_FILES,
    "msra_ner": TRANSFORMERS_FILES,
    "cmrc2018": PADDLE_FILES,
    "sentence_pairs": TRANSFORMERS_FILES,
    "multi_label": TRANSFORMERS_FILES,
    "similarity": TRANSFORMERS_FILES,
}
ALL_TASKS = pytest.mark.parametrize("task", FILES)
# The figure that says most of a checkpoint, and the bounds that it must be within.
FIGURES = {
    "tnews": ("accuracy", 0.8, 1.0),
    "afqmc": ("accuracy", 0.8, 1.0),
    "msra_ner": ("f1", 0.85, 1.0),
    "cmrc2018": ("exact_match", 0.6, 1.0),
    "sentence_pairs": ("accuracy", 0.8, 1.0),
    "multi_label": ("micro_f1", 0.8, 1.0),
    "similarity": ("spearman", 0.7, 1.0),
}
# Written out by hand, apart from the names that `samples` itself goes by.
LAYER_MODULES = {
    "attention.self.query": "self_attn.q_proj",
    "attention.self.key": "self_attn.k_proj",
    "attention.self.value": "self_attn.v_proj",
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm2",
}


def paddle_state(folder: Path) -> dict[str, npt.NDArray[np.float32]]:
    state = np.load(folder / "model_state.pdparams", allow_pickle=True)
    assert set(state.pop("StructuredToParameterName@@")) == set(state)
    return dict(state)


def model_from_paddle(folder: Path) -> "ErnieForSequenceClassification":
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    state = paddle_state(folder)
    model: ErnieForSequenceClassification = transformers.ErnieForSequenceClassification(
        transformers.ErnieConfig(
            vocab_size=config["vocab_size"],
            hidden_size=config["hidden_size"],
            num_hidden_layers=config["num_hidden_layers"],
            num_attention_heads=config["num_attention_heads"],
            intermediate_size=config["intermediate_size"],
            max_position_embeddings=config["max_position_embeddings"],
            type_vocab_size=config["type_vocab_size"],
            task_type_vocab_size=config["task_type_vocab_size"],
            use_task_id=config["use_task_id"],
            layer_norm_eps=config["layer_norm_eps"],
            num_labels=len(config["id2label"]),
        )
    )
    modules = dict(model.named_modules())
    linears = {"ernie.pooler.dense": "ernie.pooler.dense", "classifier": "classifier"}
    for layer in range(config["num_hidden_layers"]):
        for ours, theirs in LAYER_MODULES.items():
            linears[f"ernie.encoder.layer.{layer}.{ours}"] = (
                f"ernie.encoder.layers.{layer}.{theirs}"
            )
    linears["ernie.embeddings.LayerNorm"] = "ernie.embeddings.layer_norm"
    with torch.no_grad():
        for table in ("word", "position", "token_type", "task_type"):
            name = f"ernie.embeddings.{table}_embeddings"
            modules[name].weight.copy_(torch.tensor(state.pop(f"{name}.weight")))
        for ours, theirs in linears.items():
            weight = torch.tensor(state.pop(f"{theirs}.weight"))
            linear = isinstance(modules[ours], torch.nn.Linear)
            modules[ours].weight.copy_(weight.T if linear else weight)
            modules[ours].bias.copy_(torch.tensor(state.pop(f"{theirs}.bias")))
    assert not state
    model.train(mode=False)
    return model


def accuracy(
    model: "ErnieForSequenceClassification",
    folder: Path,
    texts: Sequence[list[str]],
    ids: list[int],
) -> float:
    tokenizer = transformers.BertTokenizer.from_pretrained(str(folder))
    hits = 0
    with torch.inference_mode():
        for start in range(0, len(ids), 50):
            columns = [column[start : start + 50] for column in texts]
            batch = tokenizer(*columns, padding=True, return_tensors="pt")
            predicted = model(**batch).logits.argmax(-1)
            hits += int((predicted == torch.tensor(ids[start : start + 50])).sum())
    return hits / len(ids)


def dev_records(task: str) -> list[dict[str, str]]:
    path = SAMPLES / "data" / task / "dev.json"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def recorded(task: str) -> dict[str, float]:
    loaded: dict[str, float] = json.loads(
        (CHECKPOINTS / task / "training.json").read_text(encoding="utf-8")
    )
    return loaded


def test_tnews_checkpoint_is_as_accurate_as_recorded() -> None:
    folder = CHECKPOINTS / "tnews"
    model = transformers.ErnieForSequenceClassification.from_pretrained(str(folder)).eval()
    records = dev_records("tnews")
    ids = [model.config.label2id[record["label_desc"]] for record in records]
    measured = accuracy(model, folder, [[record["sentence"] for record in records]], ids)
    assert measured == pytest.approx(recorded("tnews")["dev_accuracy"], abs=1e-3)
    assert 0.8 < measured < 1


def test_afqmc_checkpoint_is_as_accurate_as_recorded() -> None:
    folder = CHECKPOINTS / "afqmc"
    records = dev_records("afqmc")
    pairs = [[record[key] for record in records] for key in ("sentence1", "sentence2")]
    ids = [int(record["label"]) for record in records]
    measured = accuracy(model_from_paddle(folder), folder, pairs, ids)
    assert measured == pytest.approx(recorded("afqmc")["dev_accuracy"], abs=1e-3)
    assert 0.8 < measured < 1


@ALL_TASKS
def test_checkpoint_is_as_good_as_recorded(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    data = SAMPLES / "data" / task / "dev.json"
    command = ["evaluate", task, "--checkpoint", str(CHECKPOINTS / task), "--data", str(data)]
    assert main(command) == 0
    measured = json.loads(capsys.readouterr().out)
    for name, value in measured.items():
        assert value == pytest.approx(recorded(task)[f"dev_{name}"], abs=3e-3)
    name, least, most = FIGURES[task]
    assert least < measured[name] < most


@ALL_TASKS
def test_checkpoint_is_complete_and_at_most_4_mb(task: str) -> None:
    paths = list((CHECKPOINTS / task).iterdir())
    common = {"vocab.txt", "tokenizer_config.json", "training.json"}
    assert {path.name for path in paths} == FILES[task] | common
    assert sum(path.stat().st_size for path in paths) <= 4_000_000


@pytest.mark.parametrize("task", ["afqmc", "cmrc2018"])
def test_pickle_names_numpy_globals_only(task: str) -> None:
    content = (CHECKPOINTS / task / "model_state.pdparams").read_bytes()
    operations = list(pickletools.genops(content))
    assert operations[0][1] == 4
    strings = [arg for op, arg, _ in operations if op.name == "SHORT_BINUNICODE"]
    count = sum(op.name == "STACK_GLOBAL" for op, _, _ in operations)
    assert count == 3
    assert not [op.name for op, _, _ in operations if op.name in ("GLOBAL", "INST", "OBJ")]
    assert {"numpy.core.multiarray", "_reconstruct", "ndarray", "dtype"} <= set(strings)


def test_paddle_linears_are_stored_input_first() -> None:
    state = paddle_state(CHECKPOINTS / "afqmc")
    config = json.loads((CHECKPOINTS / "afqmc" / "config.json").read_text(encoding="utf-8"))
    sizes = (config["hidden_size"], config["intermediate_size"])
    assert state["ernie.encoder.layers.0.linear1.weight"].shape == sizes
    assert state["classifier.weight"].shape == (config["hidden_size"], 2)
    assert all(array.dtype == np.float32 and array.flags.c_contiguous for array in state.values())


@pytest.mark.parametrize(
    ("task", "architecture", "problem"),
    [
        ("msra_ner", "ErnieForTokenClassification", None),
        ("sentence_pairs", "ErnieModel", None),
        ("multi_label", "ErnieForSequenceClassification", "multi_label_classification"),
        ("similarity", "ErnieForSequenceClassification", "regression"),
    ],
)
def test_config_says_what_the_model_is(task: str, architecture: str, problem: str | None) -> None:
    config = json.loads((CHECKPOINTS / task / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == [architecture]
    assert config.get("problem_type") == problem


# What PaddleNLP 2.8.1 writes for this class: one `classifier` with both outputs, a pooler that
# nothing reads, no names of labels.
def test_question_answering_is_written_as_paddlenlp_writes_it() -> None:
    state = paddle_state(CHECKPOINTS / "cmrc2018")
    config = json.loads((CHECKPOINTS / "cmrc2018" / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["ErnieForQuestionAnswering"]
    assert "id2label" not in config
    assert state["classifier.weight"].shape == (config["hidden_size"], 2)
    assert "ernie.pooler.dense.weight" in state


# The mean over the tokens of one text at a time, where no padding can enter.
def test_cosines_are_those_of_mean_vectors_one_by_one() -> None:
    folder = CHECKPOINTS / "sentence_pairs"
    model = transformers.ErnieModel.from_pretrained(str(folder)).eval()
    tokenizer = transformers.BertTokenizer.from_pretrained(str(folder))
    examples = Embedder().read(SAMPLES / "data" / "sentence_pairs" / "dev.json")[:80]
    with torch.inference_mode():
        cosines = pair_cosines(model, tokenizer, examples)
        for example, cosine in zip(examples, cosines, strict=True):
            first, second = (
                model(**tokenizer(text, return_tensors="pt"))[0][0].mean(0)
                for text in example.texts
            )
            expected = torch.nn.functional.cosine_similarity(first, second, dim=0)
            assert cosine == pytest.approx(float(expected), abs=1e-5)


def test_topics_are_those_of_the_sigmoids_above_a_half() -> None:
    folder = CHECKPOINTS / "multi_label"
    model = transformers.ErnieForSequenceClassification.from_pretrained(str(folder)).eval()
    tokenizer = transformers.BertTokenizer.from_pretrained(str(folder))
    records = dev_records("multi_label")
    texts = [record["sentence"] for record in records]
    with torch.inference_mode():
        batch = tokenizer(texts, padding=True, return_tensors="pt")
        scores = model(**batch).logits.sigmoid()
    exact = 0
    for record, row in zip(records, scores, strict=True):
        names = [model.config.id2label[int(index)] for index in (row > 0.5).nonzero()]
        exact += names == list(record["labels"])
    assert exact / len(records) == pytest.approx(recorded("multi_label")["dev_exact"], abs=3e-3)


@pytest.mark.parametrize(
    ("task", "format_"),
    [
        ("tnews", "transformers"),
        ("afqmc", "paddlenlp"),
        ("msra_ner", "paddlenlp"),
        ("cmrc2018", "transformers"),
        ("cmrc2018", "paddlenlp"),
        ("sentence_pairs", "transformers"),
        ("multi_label", "transformers"),
        ("similarity", "paddlenlp"),
    ],
)
def test_training_runs_end_to_end_on_a_few_lines(
    task: str, format_: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data" / task
    assert main(["generate", task, "--output", str(data), "--train", "40", "--dev", "8"]) == 0
    vocab = str(SAMPLES / "data" / "vocab.txt")
    output = tmp_path / "checkpoint"
    options = ["--format", format_, "--vocab", vocab, "--epochs", "1", "--limit", "40"]
    capsys.readouterr()
    command = ["train", task, "--data", str(data), "--output", str(output), *options]
    assert main(command) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["train_lines"] == 40
    files_of = {"transformers": TRANSFORMERS_FILES, "paddlenlp": PADDLE_FILES}
    assert {path.name for path in output.iterdir()} >= files_of[format_]
    assert main(command) == 1
    assert "holds files already" in capsys.readouterr().err
    files = ["--checkpoint", str(output), "--data", str(data / "dev.json")]
    assert main(["evaluate", task, *files]) == 0
    measured = json.loads(capsys.readouterr().out)
    for name, value in measured.items():
        assert value == pytest.approx(record[f"dev_{name}"], abs=1e-3)
