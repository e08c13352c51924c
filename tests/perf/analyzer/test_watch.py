"""CPU and memory of processes that the test starts."""

import os
import socket
import subprocess
import sys
import time

import pytest

from ernie_triton.perf.analyzer.watch import Watch, is_local, listening_process
from ernie_triton.server.embedded import EmbeddedServer
from ernie_triton.server.stage_processes import stage_of

BUSY = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass\n"


def test_what_a_server_uses_is_its_own() -> None:
    program = f"{BUSY}print('done', flush=True)\ninput()"
    server = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    start = time.monotonic()
    with Watch("127.0.0.1:1", server.pid) as watch:
        assert server.stdout.readline() == "done\n"
    elapsed_s = time.monotonic() - start
    server.communicate("\n", timeout=20)
    assert watch.sighting.server_cores is not None
    # What it asks for, and Python's start at most.
    assert 0.4 < watch.sighting.server_cores * elapsed_s < 2.0
    assert watch.sighting.server_memory_bytes is not None
    assert watch.sighting.server_memory_bytes > 4 << 20
    assert watch.sighting.other_cores is not None


def test_work_of_this_program_and_its_children_is_not_other_load() -> None:
    with Watch("far.example:8001", None) as watch:
        subprocess.run([sys.executable, "-c", BUSY], check=True)
    assert watch.sighting.server_cores is None
    assert watch.sighting.server_memory_bytes is None
    assert watch.sighting.other_cores is not None
    assert 0 <= watch.sighting.other_cores < (os.cpu_count() or 1)


def test_a_local_server_that_is_not_seen_leaves_the_load_unknown() -> None:
    with Watch("localhost:8001", None) as watch:
        pass
    assert watch.sighting.other_cores is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [("localhost:8001", True), ("127.0.0.1:1", True), ("[::1]:1", True), ("gpu.example:1", False)],
)
def test_a_local_address_is_known(url: str, expected: bool) -> None:
    assert is_local(url) is expected


def test_a_stage_is_known_by_the_command_of_its_process() -> None:
    command = ["/tmp/x/triton_python_backend_stub", "/models/ernie_qa_engine/1/model.py", "shm"]
    assert stage_of(command) == "ernie_qa_engine"
    assert stage_of(["python", "other.py"]) == ""


def test_another_program_at_the_port_is_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert listening_process(f"127.0.0.1:{port}") is None
    assert listening_process("gpu.example:8001") is None


@pytest.mark.live
def test_the_embedded_server_and_its_stages_are_seen(server: EmbeddedServer) -> None:
    assert listening_process(server.url) == server.pid
    with Watch(server.url, server.pid) as watch:
        pass
    stages = watch.sighting.stage_memory_bytes
    assert {"ernie_seqcls_tokenizer", "ernie_seqcls_engine"} <= set(stages)
    # Python with NumPy and OpenVINO: not less than 20 MB, and not the whole machine.
    assert all(20 << 20 < size < 4 << 30 for size in stages.values())
    assert watch.sighting.server_memory_bytes is not None
    assert watch.sighting.server_memory_bytes >= sum(stages.values())
