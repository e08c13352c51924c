"""Children end with their parent, and none is lost to a signal that comes while it starts."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ernie_triton.processes.child_process import run_child, running_child, start_child
from tests.paths import ROOT

DEADLINE_S = 60

# Starts a child, prints its process id and waits.
PARENT = """
import signal, sys, time
from ernie_triton.processes.child_process import deferred_signals, start_child
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
with deferred_signals():
    child = start_child(["sh", "-c", "echo up; exec sleep 600"])
print(child.pid, flush=True)
time.sleep(600)
"""

# Signals itself while a child starts; the tests' own process has threads of other libraries.
SIGNALLED = """
import os, signal, sys
from ernie_triton.processes.child_process import deferred_signals, start_child
class StopError(Exception): pass
def stop(*_): raise StopError
number, child = int(sys.argv[1]), None
signal.signal(number, stop)
try:
    with deferred_signals():
        os.kill(os.getpid(), number)
        child = start_child(["sleep", "600"])
except StopError:
    assert signal.getsignal(number) is stop
    child.kill()
    child.wait()
    print("stopped with the child in hand")
"""

IGNORING = """
import os, signal
from ernie_triton.processes.child_process import deferred_signals
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with deferred_signals():
    os.kill(os.getpid(), signal.SIGHUP)
assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
print("still ignored")
"""


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def ends(pid: int) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_alive(pid)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
def test_a_child_ends_when_its_parent_is_killed(number: signal.Signals) -> None:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        lines = {parent.stdout.readline().strip() for _ in range(2)} - {"up"}
        child = int(lines.pop())
        assert is_alive(child)
        parent.send_signal(number)
        assert ends(child)


def test_a_child_outlives_the_thread_that_asked_for_it() -> None:
    children: list[subprocess.Popen[bytes]] = []
    thread = threading.Thread(target=lambda: children.append(start_child(["sleep", "600"])))
    thread.start()
    thread.join()
    (child,) = children
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.3)
    child.kill()
    assert child.wait() == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_a_child_starts_waits_until_it_can_be_ended(number: signal.Signals) -> None:
    command = [sys.executable, "-c", SIGNALLED, str(int(number))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S)
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "stopped with the child in hand\n",
        "",
    )


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    command = [sys.executable, "-c", IGNORING]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S)
    assert (done.returncode, done.stdout, done.stderr) == (0, "still ignored\n", "")


def test_an_error_in_the_block_ends_the_child() -> None:
    with pytest.raises(KeyError), running_child(["sleep", "600"]) as child:
        raise KeyError
    assert child.returncode == -signal.SIGKILL


def test_the_command_is_run_as_asked(tmp_path: Path) -> None:
    script = "pwd; echo $WORD; cat; echo oops >&2; exit 3"
    done = run_child(
        ["sh", "-c", script],
        env={"PATH": os.environ["PATH"], "WORD": "央行"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert (done.returncode, done.stderr) == (3, b"oops\n")
    assert done.stdout.decode() == f"{tmp_path}\n央行\n"


def test_a_program_that_is_not_there_is_an_error_of_the_parent() -> None:
    with pytest.raises(FileNotFoundError, match="/no/such/program"):
        start_child(["/no/such/program"])
