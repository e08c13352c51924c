"""Make the pipelines that are missing, for the GPU that is there: the service `build`.

    python3 docker/build_models.py --repository /models --engine tensorrt --precision fp16 \
        --pipelines tnews,afqmc

Run again it keeps what is there, unless the pipeline is asked for in another engine or precision;
plans that do not fit this GPU or this TensorRT are then built anew from their ONNX.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ernie_triton.errors import ErnieTritonError, PipelineError
from ernie_triton.pipeline import load_pipeline

_PIPELINES = Path("pipelines")


def main(argv: Sequence[str] | None = None) -> int:
    """Build; returns 0 when everything is there, 1 (after one line) for what can be mended."""
    arguments = _parser().parse_args(argv)
    wanted = [name for name in arguments.pipelines.split(",") if name]
    try:
        for name in wanted:
            code = _ensure(_pipeline_file(name), arguments)
            if code:
                return code
    except ErnieTritonError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if arguments.engine == "tensorrt":
        repository = ["--repository", str(arguments.repository)]
        return _run(["-m", "ernie_triton", "check-plans", *repository, "--rebuild"])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Build the pipelines that are missing in a model repository.",
        allow_abbrev=False,
    )
    parser.add_argument("--repository", type=Path, required=True, help="the model repository")
    parser.add_argument("--engine", required=True, help="as of `build_scripts build`")
    parser.add_argument("--precision", required=True, help="as of `build_scripts build`")
    parser.add_argument(
        "--pipelines",
        required=True,
        help="names of files in pipelines/, or paths of TOML files, with commas between them",
    )
    parser.add_argument("--force", action="store_true", help="build also what is there")
    return parser


def _pipeline_file(name: str) -> Path:
    path = Path(name) if name.endswith(".toml") else _PIPELINES / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(path.stem for path in _PIPELINES.glob("*.toml")))
        raise PipelineError(
            f"{path} is not there; PIPELINES takes names of pipelines/ ({known}) or paths of TOML "
            f"files"
        )
    return path


def _ensure(path: Path, arguments: argparse.Namespace) -> int:
    spec = load_pipeline(path)
    manifest = arguments.repository / spec.name / str(spec.version) / "manifest.json"
    wanted = (arguments.engine, arguments.precision)
    if not arguments.force and _engine_of(manifest) == wanted:
        print(f"{spec.name}: {' '.join(wanted)} is there", flush=True)
        return 0
    print(f"{spec.name}: building {' '.join(wanted)} from {path}", file=sys.stderr, flush=True)
    return _run(
        [
            *("-m", "ernie_triton", "build", str(path)),
            *("--repository", str(arguments.repository)),
            *("--engine", arguments.engine),
            *("--precision", arguments.precision),
        ]
    )


def _engine_of(manifest: Path) -> tuple[str, str] | None:
    """Engine and precision of what was built; nothing where there is no manifest of a build."""
    try:
        engine = json.loads(manifest.read_text(encoding="utf-8"))["engine"]
        return str(engine["engine"]), str(engine["precision"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _run(command: list[str]) -> int:
    return subprocess.run([sys.executable, *command]).returncode


if __name__ == "__main__":
    sys.exit(main())
