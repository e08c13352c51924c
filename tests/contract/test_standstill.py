"""A process that stood still while it had requests knows it as it goes on, and can end."""

import os
import signal
import subprocess
import sys
import time

import pytest

from ernie_triton.standstill import STANDSTILL_S, STOOD_STILL_CODE

# Says what it knows at each line that it reads: the start that the line names is so long ago.
LOOKING = """
import sys, time
from ernie_triton.standstill import Standstill
standstill = Standstill()
print("up", flush=True)
for line in sys.stdin:
    print(standstill.seconds_since(time.monotonic() - float(line)), flush=True)
"""

# A busy process looks at its clock all the same.
BUSY = """
import time
from ernie_triton.standstill import Standstill
standstill, start = Standstill(), time.monotonic()
while time.monotonic() < start + 1.5:
    pass
print(standstill.seconds_since(start))
"""

ENDING = "from ernie_triton.standstill import end_process; end_process('news_engine', 1.25)"


@pytest.mark.parametrize("stopped_s", [1.0, 1.5])
def test_a_process_that_was_stopped_knows_it_at_once_and_for_a_while(stopped_s: float) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LOOKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def still_s(ago_s: float) -> float:
            print(ago_s, file=process.stdin, flush=True)
            return float(process.stdout.readline())  # type: ignore[union-attr]

        assert process.stdout.readline() == "up\n"
        assert still_s(0) == 0
        process.send_signal(signal.SIGSTOP)
        time.sleep(stopped_s)
        print(0, file=process.stdin, flush=True)  # a request that comes while it stands still
        process.send_signal(signal.SIGCONT)
        assert STANDSTILL_S <= float(process.stdout.readline()) <= stopped_s + 5
        time.sleep(STANDSTILL_S + 0.5)
        assert still_s(60) >= STANDSTILL_S
        assert still_s(0) == 0
        process.stdin.close()


def test_a_process_that_only_computes_did_not_stand_still() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BUSY], capture_output=True, text=True, check=True, timeout=60
    )
    assert float(done.stdout) == 0


def test_the_end_has_a_code_and_a_line_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDING], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == STOOD_STILL_CODE
    assert done.stderr == (
        "news_engine stood still for 1.2 s while it had requests, which Triton may have given up; "
        "it ends, so that no other request gets their answers\n"
    )
    assert os.EX_TEMPFAIL == STOOD_STILL_CODE
