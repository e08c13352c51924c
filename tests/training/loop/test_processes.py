"""Processes started by torchrun train together."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ernie_triton.training.datasets import read_dataset
from ernie_triton.training.loop.schedule import Schedule
from ernie_triton.training.loop.training import train
from tests.paths import ROOT
from tests.training.tiny import data_folder, model_and_task, write_base

SCHEDULE = Schedule(epochs=2, batch_size=16, learning_rate=1e-3, precision="fp32", keep_best=False)


@pytest.mark.timeout(180)
def test_two_processes_learn_what_one_does_with_twice_the_batch(tmp_path: Path) -> None:
    quiet = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    base = write_base(tmp_path / "base", **quiet)
    data = data_folder(tmp_path / "data", "tnews", train=64, dev=16)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", "-m", "ernie_triton", "finetune", "seq_cls"),
            *("--checkpoint", str(base), "--data", str(data), "--output", str(tmp_path / "out")),
            *("--epochs", "2", "--batch-size", "8", "--learning-rate", "1e-3", "--keep", "last"),
            *("--precision", "fp32", "--max-seq-length", "48"),
        ],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # The first process speaks and writes, the other does neither.
    assert done.stdout.count("metric  accuracy ") == 1
    assert done.stderr.count("step 4/8") + done.stderr.count("step 8/8") == 2
    assert "by 2 processes" in done.stdout
    assert not (tmp_path / "out.work").exists()
    model, task = model_and_task(base, read_dataset("seq_cls", data), seed=SCHEDULE.seed)
    train(model, task.data, task, SCHEDULE, tmp_path / "alone.work")
    together = load_file(tmp_path / "out/model.safetensors")
    for name, weights in model.state_dict().items():
        torch.testing.assert_close(together[name], weights, rtol=1e-4, atol=2e-5)


def test_the_schedule_of_two_processes_has_half_the_steps() -> None:
    assert dataclasses.replace(SCHEDULE, batch_size=8).steps(64, 2) == SCHEDULE.steps(64) == 8
