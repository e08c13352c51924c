"""Precisions that the processor lacks are left out or refused; a wheel has no commit."""

from pathlib import Path

import pytest

from ernie_triton.errors import EngineError
from ernie_triton.perf.machine import (
    available_precisions,
    cpu_precisions,
    machine_facts,
    project_commit,
    require_precision,
)

WITH_BF16, WITHOUT_BF16 = {"fp32", "bf16", "int8"}, {"fp32", "int8"}


def test_precisions_keep_their_order_and_each_missing_one_has_a_line() -> None:
    lines: list[str] = []
    wanted = ["int8", "bf16", "fp32"]
    assert available_precisions(wanted, WITH_BF16, lines.append) == ("int8", "bf16", "fp32")
    assert lines == []
    assert available_precisions(wanted, WITHOUT_BF16, lines.append) == ("int8", "fp32")
    assert lines == ["bf16 is left out: this processor has no BF16"]


def test_one_precision_that_is_asked_for_and_missing_is_an_error() -> None:
    require_precision("bf16", WITH_BF16)
    with pytest.raises(EngineError, match="no BF16; pass --precision fp32 or int8"):
        require_precision("bf16", WITHOUT_BF16)


def test_every_processor_computes_in_fp32_and_int8() -> None:
    assert WITHOUT_BF16 <= cpu_precisions() <= WITH_BF16


def test_outside_a_clone_there_is_no_commit(tmp_path: Path) -> None:
    assert project_commit(tmp_path) == ""
    (tmp_path / "pyproject.toml").touch()
    assert project_commit(tmp_path) == ""


def test_the_machine_has_cores_memory_and_versions() -> None:
    facts = machine_facts()
    assert facts.cores >= 1
    assert facts.memory_bytes > 1 << 20
    assert {"python", "numpy", "ernie-triton"} <= facts.versions.keys()
