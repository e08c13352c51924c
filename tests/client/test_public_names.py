"""`from ernie_triton.client import …`: the names there, and the packages it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ernie_triton import client
from ernie_triton.client.client import AsyncioClient, BlockingClient
from ernie_triton.tasks import TASKS

HEAVY = {"torch", "transformers", "onnx", "onnxruntime", "openvino", "tokenizers", "matplotlib"}


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=False
    )


def loaded_by(program: str) -> set[str]:
    done = python(f"import sys\n{program}\nprint(*sys.modules, file=sys.stderr)")
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize("base", [BlockingClient, AsyncioClient])
def test_every_task_has_a_client(base: type[BlockingClient] | type[AsyncioClient]) -> None:
    named = [getattr(client, name) for name in client.__all__]
    clients = [one for one in named if isinstance(one, type) and issubclass(one, base)]
    assert sorted(one.task.name for one in clients) == sorted(TASKS)


def test_the_clients_need_numpy_and_tritonclient_alone() -> None:
    loaded = loaded_by("import ernie_triton.client")
    assert {"numpy", "tritonclient", "grpc"} <= loaded
    assert not loaded & HEAVY


def test_without_tritonclient_the_extra_is_named() -> None:
    done = python("import sys; sys.modules['tritonclient'] = None; import ernie_triton.client")
    assert done.returncode == 1
    assert "run: pip install 'ernie-triton[client]'" in done.stderr.splitlines()[-1]


def test_a_command_without_tritonclient_is_one_line() -> None:
    done = python(
        "import sys; sys.modules['tritonclient'] = None; from ernie_triton.cli import main; "
        "sys.exit(main(['ask', 'seq_cls', '--text', 'a']))"
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "run: pip install 'ernie-triton[client]'" in line


def help_loads(*words: str) -> set[str]:
    program = (
        "from ernie_triton.cli import main\n"
        f"try: main({list(words)})\n"
        "except SystemExit as end: assert end.code == 0"
    )
    return loaded_by(program)


def test_the_list_of_commands_needs_the_standard_library_alone() -> None:
    loaded = help_loads("--help")
    assert not loaded & {"numpy", "tritonclient", "grpc", *HEAVY}


@pytest.mark.parametrize("task", TASKS)
def test_the_help_of_ask_needs_no_framework(task: str) -> None:
    assert not help_loads("ask", task, "--help") & HEAVY
