"""Whole builds of tiny checkpoints: what is published answers as the source, and is recorded."""

import datetime
import hashlib
import importlib.metadata
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

import ernie_triton
from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.sample_texts import SAMPLE_TEXTS
from ernie_triton.build.config.reading import pipeline_stage
from ernie_triton.engines import load_engine
from ernie_triton.processor import has_bfloat16, instruction_sets
from ernie_triton.server.check_processor import proved_engines
from ernie_triton.settings import EMBEDDED_CONFIG_FILE, EngineSettings
from tests.build.load.exports import PrunedClassifier, export, randomised
from tests.build.models import (
    LABELS,
    PADDLE_EXAMPLE,
    random_rows,
    save_paddlenlp,
    single_rows,
    transformers_logits,
    tree_of,
    vocabulary_lines,
    write_vocabulary,
)
from tests.commands import Run

STEPS = ["read", "vocabulary", "graph", "engine", "compare", "speed", "write", "publish"]
ENGINE_FILES = {"openvino": ["model.bin", "model.xml"], "onnxruntime": ["model.onnx"]}
BATCH = random_rows((9, 2, 100, 33))
PAIRS = random_rows((9, 2, 100, 33), types=2)


def engine_settings(repository: Path, name: str = "ernie_seqcls") -> EngineSettings:
    """What the embedded server tells the engine stage."""
    return EngineSettings.from_parameters(pipeline_stage(repository, name, "engine")[1])


def served_logits(
    repository: Path, batch: TokenBatch, name: str = "ernie_seqcls", version: int = 1
) -> npt.NDArray[np.float32]:
    """What the engine stage answers, loaded as it loads itself."""
    folder, parameters = pipeline_stage(repository, name, "engine")
    engine = load_engine(folder / str(version), EngineSettings.from_parameters(parameters))
    return engine.run(batch)["logits"]


def manifest_in(repository: Path, name: str = "ernie_seqcls", version: int = 1) -> Any:
    path = repository / f"{name}/{version}/manifest.json"
    return json.loads(path.read_text(encoding="utf-8"))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("layout", ["packed", "padded"])
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_a_checkpoint_becomes_a_pipeline_that_answers_as_it(
    tmp_path: Path, checkpoint: Path, ernie: Any, run: Run, engine: str, layout: str
) -> None:
    repository = tmp_path / "models"
    options = ("--engine", engine, "--layout", layout, "--task", "seq_cls", "--threads", 1)
    where = ("--checkpoint", checkpoint, "--repository", repository)
    done = run("build", *where, "--no-joined", *options)
    assert (done.code, done.steps, done.other_lines) == (0, STEPS, [])
    assert not proved_engines(repository)  # FP32 is FP32 everywhere

    found = served_logits(repository, BATCH)
    np.testing.assert_allclose(found, transformers_logits(ernie, BATCH), rtol=0, atol=1e-5)
    assert sorted(name for name, item in tree_of(repository).items() if item != "folder") == sorted(
        [
            "ernie_seqcls/1/manifest.json",
            "ernie_seqcls/config.pbtxt",
            # A container runs ONNX Runtime in Triton's own backend, the embedded server in ours.
            *(
                f"ernie_seqcls_engine/{EMBEDDED_CONFIG_FILE}"
                for _ in range(engine == "onnxruntime")
            ),
            "ernie_seqcls/labels.txt",
            "ernie_seqcls_engine/1/model.py",
            *(f"ernie_seqcls_engine/1/{name}" for name in ENGINE_FILES[engine]),
            "ernie_seqcls_engine/config.pbtxt",
            "ernie_seqcls_engine/warmup/long_input_ids",
            "ernie_seqcls_engine/warmup/short_input_ids",
            "ernie_seqcls_postprocess/1/model.py",
            "ernie_seqcls_postprocess/config.pbtxt",
            "ernie_seqcls_postprocess/labels.txt",
            "ernie_seqcls_tokenizer/1/model.py",
            "ernie_seqcls_tokenizer/1/vocab.txt",
            "ernie_seqcls_tokenizer/config.pbtxt",
            "ernie_seqcls_tokenizer/warmup/long_text",
            "ernie_seqcls_tokenizer/warmup/short_text",
        ]
    )
    assert [path.name for path in tmp_path.iterdir()] == ["models"]

    made = manifest_in(repository)
    assert (made["engine"]["engine"], made["engine"]["layout"]) == (engine, layout)
    assert made["engine"]["engine_version"] == importlib.metadata.version(engine)
    folder = repository / "ernie_seqcls_engine/1"
    files = {name: sha256(folder / name) for name in ENGINE_FILES[engine]}
    assert made["engine"]["files"] == files
    assert made["engine"]["size_bytes"] == sum((folder / name).stat().st_size for name in files)
    assert made["exactness"]["tolerance"] == 1e-4
    assert 0 <= made["exactness"]["largest_difference"] <= 1e-4
    texts = len(SAMPLE_TEXTS.read_text(encoding="utf-8").splitlines())
    assert made["exactness"]["same_decisions"] == made["exactness"]["texts"] == texts


def test_the_manifest_and_the_summary_say_what_was_built(
    tmp_path: Path, checkpoint: Path, ernie: Any, run: Run
) -> None:
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    options = ("--name", "titles", "--max-length", 32, "--max-batch-size", 8, "--version", 7)
    arguments = ("--checkpoint", checkpoint, "--task", "seq_cls", "--repository", tmp_path)
    done = run("build", *arguments, *options)
    assert done.code == 0, done.stderr

    made = manifest_in(tmp_path, "titles", 7)
    assert {key: made[key] for key in ("name", "version", "task", "pair")} == {
        "name": "titles",
        "version": 7,
        "task": "seq_cls",
        "pair": False,
    }
    assert (made["max_length"], made["max_batch_size"]) == (32, 8)
    assert made["ernie_triton"] == ernie_triton.__version__
    assert datetime.datetime.fromisoformat(made["built_at"]) >= before
    assert made["source"] == {
        "kind": "transformers checkpoint (model.safetensors)",
        "path": str(checkpoint),
        "files": {path.name: sha256(path) for path in checkpoint.iterdir()},
        "unrecognised": "",
    }
    unused = 3 * 24  # the task type table, one row of which is in the token types
    assert made["model"] == {
        "layers": 2,
        "hidden": 24,
        "heads": [3, 3],
        "feed_forward": [40, 40],
        "parameters": sum(p.numel() for p in ernie.parameters()) - unused,
        "vocabulary_size": 60,
        "labels": list(LABELS),
        "max_positions": 160,
        "kind": "",
    }
    assert made["engine"]["opset"] == 20
    assert made["exactness"]["reference"].startswith("transformers")
    assert made["speed"]["batch"] == 8
    assert made["speed"]["texts_per_s"] > 0

    summary = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert made["joined"]
    assert list(summary) == [
        "pipeline",
        "form",
        "build",
        "source",
        "model",
        "graph",
        "engine",
        "exactness",
        "speed",
    ]
    assert summary["pipeline"].startswith("titles version 7 (seq_cls, 5 labels, up to 32 tokens")
    assert f"{made['engine']['graph_nodes']} nodes" in summary["graph"]
    assert f"{made['speed']['texts_per_s']:,.0f} texts/s" in summary["speed"]


def test_bf16_is_built_within_its_tolerance(
    tmp_path: Path, checkpoint: Path, ernie: Any, run: Run
) -> None:
    arguments = ("--checkpoint", checkpoint, "--task", "seq_cls", "--repository", tmp_path)
    done = run("build", *arguments, "--precision", "bf16")
    assert done.code == 0
    slow = "no BF16 instructions here: slower than FP32"
    assert (slow in done.stderr) is not has_bfloat16(instruction_sets())
    (proved,) = proved_engines(tmp_path)
    assert proved.proof.limit == 2e-2
    expected = transformers_logits(ernie, proved.proof.rows)
    np.testing.assert_allclose(proved.proof.outputs["logits"], expected, rtol=0, atol=1e-5)
    assert engine_settings(tmp_path).precision == "bf16"
    found = served_logits(tmp_path, BATCH)
    np.testing.assert_allclose(found, transformers_logits(ernie, BATCH), rtol=0, atol=2e-2)
    made = manifest_in(tmp_path)
    assert made["exactness"]["tolerance"] == 2e-2
    assert made["exactness"]["largest_difference"] <= 2e-2
    assert made["speed"]["ratio_to_fp32"] > 0


def test_pairs_are_built_from_a_paddlenlp_checkpoint(tmp_path: Path, ernie: Any, run: Run) -> None:
    folder = save_paddlenlp(ernie, tmp_path / "checkpoint")
    (tmp_path / "texts.tsv").write_text("1 2\t3 4\n好\t今天\n", encoding="utf-8")
    repository = tmp_path / "models"
    arguments = ("--checkpoint", folder, "--task", "seq_cls", "--repository", repository)
    options = ("--pair", "--no-joined", "--texts", tmp_path / "texts.tsv")
    assert run("build", *arguments, *options).code == 0
    made = manifest_in(repository)
    assert made["pair"]
    assert made["exactness"]["texts"] == 2
    assert made["exactness"]["reference"] == "NumPy in float64"
    found = served_logits(repository, PAIRS)
    np.testing.assert_allclose(found, transformers_logits(ernie, PAIRS), rtol=0, atol=1e-5)
    warm_up = repository / "ernie_seqcls_tokenizer/warmup"
    texts = {path.name: path.read_bytes()[4:].decode() for path in warm_up.iterdir()}
    assert texts == {
        "short_text": "好",
        "short_text_pair": "今天",
        "long_text": "1 2",
        "long_text_pair": "3 4",
    }
    ids = np.fromfile(repository / "ernie_seqcls_engine/warmup/long_input_ids", "<i4")
    vocabulary = vocabulary_lines()
    words = ["[CLS]", "1", "2", "[SEP]", "3", "4", "[SEP]"]
    assert [vocabulary[index] for index in ids] == words


def test_an_onnx_file_is_built_with_labels_and_vocabulary_from_elsewhere(
    tmp_path: Path, exported: Path, ernie: Any, run: Run
) -> None:
    vocabulary = write_vocabulary(tmp_path / "words.txt", vocabulary_lines())
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(["一", "二", "三", "四", "五"]), encoding="utf-8")
    repository = tmp_path / "models"
    arguments = ("--checkpoint", exported, "--task", "seq_cls", "--repository", repository)
    done = run("build", *arguments, "--no-joined", "--labels", labels, "--vocab", vocabulary)
    assert (done.code, done.other_lines) == (0, [])
    found = served_logits(repository, BATCH)
    np.testing.assert_allclose(found, transformers_logits(ernie, BATCH), rtol=0, atol=1e-5)
    for model in ("ernie_seqcls", "ernie_seqcls_postprocess"):
        lines = (repository / model / "labels.txt").read_text(encoding="utf-8")
        assert lines == "一\n二\n三\n四\n五\n"
    copied = repository / "ernie_seqcls_tokenizer/1/vocab.txt"
    assert copied.read_bytes() == vocabulary.read_bytes()
    made = manifest_in(repository)
    assert made["source"]["files"] == {"model.onnx": sha256(exported)}
    assert made["exactness"]["reference"].startswith("the exported graph in ONNX Runtime")


@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize("source", ["seq_cls_checkpoint", "seq_cls_inference"])
def test_what_paddle_wrote_is_built_and_gives_paddle_s_logits(
    tmp_path: Path, run: Run, source: str, pair: bool
) -> None:
    arguments = ("--checkpoint", PADDLE_EXAMPLE / source, "--task", "seq_cls")
    vocabulary = ("--vocab", PADDLE_EXAMPLE / "vocab.txt") if "inference" in source else ()
    pairs = ("--pair",) if pair else ()
    done = run("build", *arguments, "--repository", tmp_path, *vocabulary, *pairs)
    assert (done.code, done.other_lines) == (0, [])
    cases = range(5 if pair else 4)  # the last is a pair of texts
    with np.load(PADDLE_EXAMPLE / "seq_cls_reference.npz") as reference:
        rows = [(reference[f"ids{case}"], reference[f"tt{case}"]) for case in cases]
        expected = [reference[f"y{case}_0"][0] for case in cases]
    assert [types.any() for _, types in rows] == [False] * 4 + [True] * pair
    batch = TokenBatch(
        input_ids=np.concatenate([ids for ids, _ in rows]).astype(np.int32),
        token_type_ids=np.concatenate([types for _, types in rows]).astype(np.int32),
        lengths=np.array([len(ids) for ids, _ in rows], np.int32),
    )
    np.testing.assert_allclose(served_logits(tmp_path, batch), expected, rtol=0, atol=1e-4)
    assert manifest_in(tmp_path)["model"]["labels"] == [f"LABEL_{index}" for index in range(15)]


def test_a_toml_file_is_built_with_what_options_replace(
    tmp_path: Path, checkpoint: Path, run: Run
) -> None:
    shutil.copytree(checkpoint, tmp_path / "data/tiny")
    (tmp_path / "pipelines").mkdir()
    pipeline = tmp_path / "pipelines/tiny.toml"
    pipeline.write_text(
        'task = "seq_cls"\nname = "tiny"\ncheckpoint = "../data/tiny"\nrepository = "../models"\n'
        'joined = false\nmax_length = 64\nengine = "onnxruntime"\nlayout = "padded"\n'
        "[batching]\nmax_batch_size = 16\nmax_queue_size = 9\n",
        encoding="utf-8",
    )
    done = run("build", pipeline, "--layout", "packed", "--max-batch-size", 4)
    assert done.code == 0, done.stderr
    settings = engine_settings(tmp_path / "models", "tiny")
    assert (settings.engine, settings.layout, settings.max_length) == ("onnxruntime", "packed", 64)
    for config in (tmp_path / "models").glob("tiny*/config.pbtxt"):
        text = config.read_text(encoding="utf-8")
        parsed = text_format.Parse(text, pb.ModelConfig())
        assert parsed.max_batch_size == 4
        if parsed.backend:
            assert not parsed.dynamic_batching.HasField("default_queue_policy")
        if parsed.name == "tiny_tokenizer":
            assert parsed.parameters["max_waiting"].string_value == "9"


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_a_graph_that_is_not_recognised_is_served_padded_as_it_came(
    tmp_path: Path, run: Run, engine: str
) -> None:
    swish: Any = randomised(PrunedClassifier(lambda x: x * x.sigmoid()))
    (tmp_path / "source").mkdir()
    onnx.save(export(swish), tmp_path / "source/model.onnx")
    special = ("[UNK]", "[CLS]", "[SEP]", "[PAD]")  # the module masks token 3
    write_vocabulary(tmp_path / "source/vocab.txt", vocabulary_lines(special=special))
    arguments = ("--checkpoint", tmp_path / "source", "--repository", tmp_path / "models")
    done = run("build", *arguments, "--task", "seq_cls", "--max-length", 16, "--engine", engine)
    assert (done.code, done.other_lines) == (0, [])
    warning = "served as it came, padded: the computation that ends in the Mul"
    assert warning in done.stderr.splitlines()[0]
    assert warning in done.stdout
    settings = engine_settings(tmp_path / "models")
    assert (settings.layout, settings.pad_token_id) == ("padded", 3)
    batch = random_rows((6, 16, 2, 11))
    with torch.inference_mode():
        expected = [
            swish(torch.from_numpy(ids[None].astype(np.int64)))[0].numpy()
            for ids, _ in single_rows(batch)
        ]
    found = served_logits(tmp_path / "models", batch)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    made = manifest_in(tmp_path / "models")
    assert made["model"]["layers"] == made["model"]["parameters"] == 0
    assert "Mul node" in made["source"]["unrecognised"]


def test_a_second_version_leaves_the_first_and_shares_its_configuration(
    tmp_path: Path, checkpoint: Path, ernie: Any, run: Run
) -> None:
    arguments = ("--checkpoint", checkpoint, "--task", "seq_cls", "--repository", tmp_path)
    assert run("build", *arguments).code == 0
    before = tree_of(tmp_path)
    assert run("build", *arguments, "--version", 2).code == 0
    after = tree_of(tmp_path)
    assert {name: after[name] for name in before} == before
    assert {name.split("/")[1] for name in set(after) - set(before)} == {"2"}
    found = served_logits(tmp_path, BATCH, version=2)
    np.testing.assert_allclose(found, transformers_logits(ernie, BATCH), rtol=0, atol=1e-5)
    refused = run("build", *arguments, "--version", 3, "--max-length", 64)
    assert refused.code == 1
    assert "would change with version 3" in refused.other_lines[0]
    assert tree_of(tmp_path) == after
