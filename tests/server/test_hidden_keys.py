"""Keys in the command of a running process are hidden, and the process goes on."""

import subprocess
import sys
from pathlib import Path

from ernie_triton.server.hidden_keys import hide_keys

_CHILD = "import sys; print('read', flush=True); sys.stdin.read(); print(sys.argv[1])"


def test_a_key_is_hidden_from_the_list_of_processes_and_the_process_still_has_it() -> None:
    key = "0123456789abcdef" * 2
    command = [sys.executable, "-c", _CHILD, f"--closed=admin={key}", "last"]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "read\n"
        assert hide_keys(process.pid, ["", key])
        seen = Path(f"/proc/{process.pid}/cmdline").read_text().rstrip("\0").split("\0")
        assert seen[3:] == [f"--closed=admin={'*' * len(key)}", "last"]
        output, _ = process.communicate("")
    assert output == f"--closed=admin={key}\n"


def test_a_process_that_has_gone_hides_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert not hide_keys(process.pid, ["a key"])
