"""The outcome of reading checkpoints in this process; torch is not imported here.

`python -m tests.build.check.outcomes FOLDER…` prints them where torch and transformers are hidden.
"""

import importlib.util
import json
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import numpy as np

from ernie_triton.build.check.reference import reference_for
from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import WantedHead
from ernie_triton.errors import ErnieTritonError
from ernie_triton.tasks import TASKS

ROW = (np.array([5, 9, 17, 3, 33, 41], np.int32), np.zeros(6, np.int32))
HIDDEN = ("torch", "transformers")


def outcome(folder: Path) -> dict[str, Any]:
    """Logits of a fixed row as the build's reference gives them, or the refusal."""
    try:
        source = read_source(folder, WantedHead(head="sequence"))
        reference = reference_for(source, TASKS["seq_cls"])
        logits = np.asarray(reference.outputs(ROW)["logits"], np.float64).tolist()
    except ErnieTritonError as error:
        return {"refused": str(error)}
    return {"logits": logits, "reference": reference.name, "kind": source.kind, "note": source.note}


def hide(found: Callable[..., ModuleSpec | None]) -> Callable[..., ModuleSpec | None]:
    """Wrap `find_spec` so that it finds neither torch nor transformers; imports fail too."""
    for name in HIDDEN:
        sys.modules[name] = None  # type: ignore[assignment]

    def find(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name.partition(".")[0] in HIDDEN else found(name, package)

    return find


def main(folders: Sequence[str]) -> int:
    """Print the outcomes as one line of JSON."""
    importlib.util.find_spec = hide(importlib.util.find_spec)
    print(json.dumps([outcome(Path(folder)) for folder in folders]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
