"""A plan is accepted by the server and the GPU it was made for, and by no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ernie_triton.errors import PlanError
from ernie_triton.gpu.plans import check_plan, facts_path, header_version, read_facts
from tests.gpu.fake_cuda import A10, T4, V100
from tests.gpu.plan_files import facts_of, plan_bytes, write_plan

SERVER = "10.4.0"


def test_a_plan_of_this_tensorrt_and_gpu_fits(tmp_path: Path) -> None:
    write_plan(tmp_path)
    assert check_plan(tmp_path, T4, SERVER).gpu == "Tesla T4"


def test_facts_are_read_as_they_were_written(tmp_path: Path) -> None:
    plan = write_plan(tmp_path)
    written = facts_of(plan_bytes())
    assert read_facts(plan).to_json() == written.to_json()


def test_one_repository_serves_two_gpus(tmp_path: Path) -> None:
    write_plan(tmp_path, T4)
    write_plan(tmp_path, V100)
    assert check_plan(tmp_path, T4, SERVER).compute_capability == "7.5"
    assert check_plan(tmp_path, V100, SERVER).compute_capability == "7.0"


def test_no_plan_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"no plan for the Tesla T4 .*7\.5.* plans there: none"):
        check_plan(tmp_path, T4, SERVER)


def test_plans_of_other_gpus_are_named(tmp_path: Path) -> None:
    write_plan(tmp_path, V100)
    write_plan(tmp_path, T4)
    with pytest.raises(
        PlanError, match=r"no plan for the NVIDIA A10 .* there: model_sm70.plan, model_sm75.plan"
    ):
        check_plan(tmp_path, A10, SERVER)


def test_a_plan_under_the_name_of_another_gpu_is_refused(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, V100)
    plan.rename(tmp_path / "model_sm75.plan")
    facts_path(plan).rename(tmp_path / "model_sm75.json")
    with pytest.raises(PlanError, match=r"built on a Tesla V100.* 7\.0, but this is a Tesla T4"):
        check_plan(tmp_path, T4, SERVER)


@pytest.mark.parametrize("server", ["10.5.0", "10.16.1", "11.4.0"])
def test_a_plan_of_another_tensorrt_is_refused(tmp_path: Path, server: str) -> None:
    write_plan(tmp_path)
    message = rf"built with TensorRT 10\.4\.0\.26, but the server has {server}"
    with pytest.raises(PlanError, match=message):
        check_plan(tmp_path, T4, server)


def test_a_truncated_plan_is_refused(tmp_path: Path) -> None:
    plan = write_plan(tmp_path)
    plan.write_bytes(plan.read_bytes()[:100])
    with pytest.raises(PlanError, match="cut short or damaged: 100 bytes, expected 284"):
        check_plan(tmp_path, T4, SERVER)


def test_a_plan_with_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    plan = write_plan(tmp_path)
    content = bytearray(plan.read_bytes())
    content[200] ^= 1
    plan.write_bytes(content)
    with pytest.raises(PlanError, match="is damaged: its SHA-256"):
        check_plan(tmp_path, T4, SERVER)


def test_a_plan_whose_header_contradicts_its_facts_is_refused(tmp_path: Path) -> None:
    write_plan(tmp_path, version="10.9.0.34", tensorrt="10.4.0.26")
    with pytest.raises(PlanError, match=r"says that TensorRT 10\.9\.0\.34 built it, its facts"):
        check_plan(tmp_path, T4, SERVER)


def test_a_plan_of_an_older_graph_is_refused(tmp_path: Path) -> None:
    write_plan(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"another graph")
    with pytest.raises(PlanError, match="built from another graph"):
        check_plan(tmp_path, T4, SERVER)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"tensorrt": 10}'])
def test_facts_that_are_none_are_refused(tmp_path: Path, content: str) -> None:
    facts_path(write_plan(tmp_path)).write_text(content, encoding="utf-8")
    with pytest.raises(PlanError, match=r"model_sm75\.json (cannot be read|are not those)"):
        check_plan(tmp_path, T4, SERVER)


def test_facts_of_another_type_are_refused(tmp_path: Path) -> None:
    path = facts_path(write_plan(tmp_path))
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, "tensorrt": 10.4}), encoding="utf-8")
    with pytest.raises(PlanError, match="are not those of this version"):
        check_plan(tmp_path, T4, SERVER)


def test_the_version_stands_where_trtexec_reads_it(tmp_path: Path) -> None:
    plan = tmp_path / "model_sm75.plan"
    plan.write_bytes(plan_bytes("11.2.1.2"))
    assert header_version(plan) == "11.2.1.2"


@pytest.mark.parametrize("content", [b"", b"ftrt", b"ftrt\x01" + bytes(100), b"\x08\x09onnx" * 20])
def test_what_is_no_plan_is_told_from_one(tmp_path: Path, content: bytes) -> None:
    plan = tmp_path / "model_sm75.plan"
    plan.write_bytes(content)
    with pytest.raises(PlanError, match="is not a TensorRT plan"):
        header_version(plan)
