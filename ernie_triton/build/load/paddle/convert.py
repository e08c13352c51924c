"""Script that converts one static export with paddle2onnx.

It runs in a separate process: the converter prints to stdout, and ends the process on a bad file.
It imports nothing of the project: PIR exports need an interpreter with paddle2onnx 2 and Paddle,
which cannot be installed beside paddle2onnx 1.

    python convert.py MODEL PARAMS OUTPUT
"""

import importlib.util
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

_OPSET = 17
MISSING_PACKAGE = 3
"""Exit code for a missing package, whose name is then in the output file."""


def main(argv: list[str]) -> int:
    """Convert MODEL with PARAMS and write the ONNX graph to OUTPUT; return the exit code."""
    model, params, output = (Path(argument) for argument in argv)
    try:
        graph = _convert(model, params)
    except ImportError as error:
        output.write_text(error.name or str(error), encoding="utf-8")
        return MISSING_PACKAGE
    output.write_bytes(graph)
    return 0


def _convert(model: Path, params: Path) -> bytes:
    """Return the serialised ONNX graph; empty where the converter failed without an error.

    Raises:
        ImportError: this interpreter has no paddle2onnx for this format.
    """
    package = importlib.util.find_spec("paddle2onnx")
    if package is None or package.submodule_search_locations is None:
        raise ImportError("paddle2onnx is not installed", name="paddle2onnx")
    if int(version("paddle2onnx").split(".")[0]) >= 2:
        import paddle2onnx

        # With an output file, it would also optimise the graph, and pip install packages for that.
        return bytes(paddle2onnx.export(str(model), str(params), None, opset_version=_OPSET))
    if model.suffix == ".json":
        raise ImportError("paddle2onnx 1 reads no PIR export", name="paddle2onnx>=2")
    return _convert_without_paddle(Path(package.submodule_search_locations[0]), model, params)


def _convert_without_paddle(package: Path, model: Path, params: Path) -> bytes:
    """Call only the extension module of paddle2onnx 1.3.1: its package would import Paddle."""
    name = "paddle2onnx_cpp2py_export"
    module = _extension_module(name, next(package.glob(f"{name}*.so")))
    return bytes(
        module.export(
            str(model),
            str(params),
            _OPSET,
            True,  # auto_upgrade_opset
            False,  # verbose
            True,  # enable_onnx_checker
            True,  # enable_experimental_op
            True,  # enable_optimize
            {},  # custom_op_info
            "onnxruntime",  # deploy_backend
            "",  # calibration_file
            "",  # external_file
            False,  # export_fp16_model
        )
    )


def _extension_module(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no extension module", name="paddle2onnx")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    # Paddle must not import the modules beside this script by their plain names.
    sys.path.pop(0)
    sys.exit(main(sys.argv[1:]))
