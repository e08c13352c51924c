"""Convert a Paddle static export, legacy (`*.pdmodel`) or PIR (`*.json`), to an ONNX graph."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import onnx

from ernie_triton.build.load.paddle import convert as paddle_convert
from ernie_triton.build.load.paddle.pdiparams import check_pdiparams
from ernie_triton.errors import CheckpointError, MissingExtraError
from ernie_triton.processes.child_process import run_child

_PIR_START = re.compile(rb'\{\s*"base_code"\s*:\s*\{[^}]*"magic"\s*:\s*"pir"')

_COLOURS = re.compile("\x1b\\[[0-9;]*m")


def is_paddle_export(path: Path) -> bool:
    """Return whether a path is a static export's model or parameters, or a folder with a model."""
    if path.is_dir():
        return any(_is_model(file) for file in path.iterdir())
    return path.suffix == ".pdiparams" or _is_model(path)


def onnx_from_paddle_export(
    path: Path, params: Path | None = None, python: Path | None = None
) -> onnx.ModelProto:
    """Convert a static export with paddle2onnx in a separate process.

    Args:
        path: the model file (`*.pdmodel`, or PIR `*.json`), its parameters, or their folder. Of
            both formats in one folder, the legacy one is read: it needs no Paddle.
        params: the `*.pdiparams` file, unless it lies beside the model under the same name.
        python: the interpreter that has paddle2onnx; None for the running one.

    Raises:
        MissingExtraError: the interpreter has no paddle2onnx, or none for this format.
        CheckpointError: a file is missing or damaged, or an operator cannot be converted.
    """
    model = _find_model(path)
    params = params if params is not None else _params_beside(model)
    check_pdiparams(params)
    with tempfile.TemporaryDirectory() as folder:
        graph = _convert(model.resolve(), params.resolve(), python or Path(sys.executable), folder)
    return _complete(graph, model, params)


def _convert(model: Path, params: Path, python: Path, folder: str) -> onnx.ModelProto:
    output = Path(folder) / "converted"
    done = run_child(
        [str(python), paddle_convert.__file__, str(model), str(params), str(output)],
        # paddle2onnx 2 leaves folders in TMPDIR when it crashes.
        env={**os.environ, "TMPDIR": folder},
        cwd=Path(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode == paddle_convert.MISSING_PACKAGE:
        raise MissingExtraError(
            output.read_text(encoding="utf-8"),
            "paddle-pir" if model.suffix == ".json" else "paddle",
            f"converting {model}",
        )
    if done.returncode or not output.stat().st_size:
        lines = _COLOURS.sub("", done.stdout.decode(errors="replace")).strip().splitlines()
        raise CheckpointError(
            f"{model} cannot be converted; it is damaged or has an unsupported operator. "
            f"paddle2onnx said: {lines[-1] if lines else 'nothing'}"
        )
    return onnx.load(output)


def _complete(graph: onnx.ModelProto, model: Path, params: Path) -> onnx.ModelProto:
    """Return the graph if it has all its weights: paddle2onnx 2 does not report missing ones."""
    known = {"", *(value.name for value in (*graph.graph.input, *graph.graph.initializer))}
    for node in graph.graph.node:
        missing = [name for name in node.input if name not in known]
        if missing:
            raise CheckpointError(
                f"{params} has no {missing[0]!r}; expected all parameters of {model.name}"
            )
        known.update(node.output)
    return graph


def _is_model(path: Path) -> bool:
    if path.suffix != ".json":
        return path.suffix == ".pdmodel"
    with path.open("rb") as file:
        return _PIR_START.match(file.read(4096)) is not None


def _find_model(path: Path) -> Path:
    if not path.exists():
        raise CheckpointError(f"the static export {path} does not exist")
    if path.suffix == ".pdiparams":
        candidates = [path.with_suffix(suffix) for suffix in (".pdmodel", ".json")]
    else:
        candidates = sorted(path.iterdir()) if path.is_dir() else [path]
    models = [file for file in candidates if file.is_file() and _is_model(file)]
    legacy = [file for file in models if file.suffix == ".pdmodel"]
    found = legacy or models
    if len(found) != 1:
        names = f" ({', '.join(file.name for file in found)})" if found else ""
        raise CheckpointError(
            f"{path} holds {len(found)} static exports{names}; expected one *.pdmodel or PIR *.json"
        )
    return found[0]


def _params_beside(model: Path) -> Path:
    params = model.with_suffix(".pdiparams")
    if not params.is_file():
        raise CheckpointError(f"{model} has no parameters beside it; expected {params.name}")
    return params
