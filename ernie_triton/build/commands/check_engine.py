"""Compile a graph for a named GPU, on any machine: the command `check-engine`."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.errors import PlanError
from ernie_triton.model_shapes import FAMILY
from ernie_triton.pipeline import Batching, TensorRtBuild
from ernie_triton.tasks import LAYOUTS

if TYPE_CHECKING:
    from ernie_triton.build.tensorrt.profiles import EngineShapes

_SHAPE_PRECISIONS = ("fp32", "fp16", "int8")
_MAX_LENGTH = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class _Graph:
    """A graph to compile: its file, its name in the report, and the shapes."""

    path: Path
    name: str
    shapes: "EngineShapes"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Compile a graph for a named GPU with TensorRT for RTX, which needs no GPU: an "
        "ONNX file, the pipelines of a repository, or a shape of the family with random weights. "
        "Proves that the parser reads every node, the compiler has kernels for that GPU, and no "
        "run has to wait for a shape from the GPU; not that the TensorRT of a Triton image does, "
        "nor anything about speed or exactness."
    )
    parser.add_argument("graph", nargs="?", type=Path, metavar="MODEL.onnx")
    parser.add_argument(
        "--target",
        action="append",
        metavar="SM",
        help="sm75 (T4), sm80 (A100), sm86 (A10), sm89 (L4), … (repeatable; default sm75)",
    )
    parser.add_argument("--repository", type=Path, help="check the graphs of this model repository")
    parser.add_argument("--name", help="this pipeline of the repository alone")
    parser.add_argument("--shape", choices=sorted(FAMILY), help="a model with random weights")
    parser.add_argument(
        "--precision",
        choices=_SHAPE_PRECISIONS,
        default="fp16",
        help="of the shape (default %(default)s)",
    )
    parser.add_argument(
        "--layout",
        choices=LAYOUTS,
        default="packed",
        help="of the shape (default %(default)s)",
    )
    parser.add_argument(
        "--max-batch-size",
        type=int,
        default=Batching().max_batch_size,
        help="most rows of a run, of a file or a shape (default %(default)s)",
    )
    parser.add_argument(
        "--max-length",
        type=int,
        default=_MAX_LENGTH,
        help="most tokens of a row, of a file or a shape (default %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from ernie_triton.build.tensorrt.api import load_rtx
    from ernie_triton.build.tensorrt.compile_check import check_target, compile_for

    given = [bool(arguments.graph), bool(arguments.repository), bool(arguments.shape)]
    if sum(given) != 1:
        print("error: give a MODEL.onnx, a --repository or a --shape", file=sys.stderr)
        return 2
    tensorrt = load_rtx()
    targets = arguments.target or ["sm75"]
    for target in targets:
        check_target(tensorrt, target)
    all_good = True
    with _graphs(arguments) as graphs:
        for graph in graphs:
            for target in targets:
                print(f"compiling {graph.name} for {target} …", file=sys.stderr, flush=True)
                report = compile_for(tensorrt, graph.path, graph.name, target, graph.shapes)
                print("\n".join(report.lines()), flush=True)
                all_good &= report.is_good
    return 0 if all_good else 1


@contextmanager
def _graphs(arguments: argparse.Namespace) -> Iterator[tuple[_Graph, ...]]:
    if arguments.repository:
        yield _repository_graphs(arguments.repository, arguments.name)
    elif arguments.graph:
        yield (_file_graph(arguments),)
    else:
        import onnx

        from ernie_triton.build.tensorrt.random_graph import random_graph

        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "model.onnx"
            precision, layout = arguments.precision, arguments.layout
            graph = random_graph(
                FAMILY[arguments.shape], precision, layout, max_length=arguments.max_length
            )
            onnx.save(graph, path)
            name = f"{arguments.shape} {precision} {layout}"
            yield (_Graph(path=path, name=name, shapes=_shapes(arguments, layout)),)


def _repository_graphs(repository: Path, name: str | None) -> tuple[_Graph, ...]:
    from ernie_triton.build.tensorrt.plan_requests import UsualBatch, plan_requests

    names = (name,) if name else ()
    return tuple(
        _Graph(path=request.graph, name=stage.pipeline, shapes=request.shapes)
        for stage, request in plan_requests(repository, names, TensorRtBuild(), UsualBatch())
    )


def _file_graph(arguments: argparse.Namespace) -> _Graph:
    import onnx
    from google.protobuf.message import DecodeError

    path: Path = arguments.graph
    try:
        graph = onnx.load(path, load_external_data=False).graph
    except (OSError, DecodeError) as error:
        raise PlanError(f"{path} cannot be read as an ONNX file: {error}") from error
    constants = {item.name for item in graph.initializer}
    ranks = {len(i.type.tensor_type.shape.dim) for i in graph.input if i.name not in constants}
    if ranks not in ({1}, {2}):
        raise PlanError(
            f"the inputs of {path} have {sorted(ranks)} dimensions; expected 1 for each (packed) "
            f"or 2 (padded)"
        )
    layout = "packed" if ranks == {1} else "padded"
    return _Graph(path=path, name=path.name, shapes=_shapes(arguments, layout))


def _shapes(arguments: argparse.Namespace, layout: str) -> "EngineShapes":
    from ernie_triton.build.tensorrt.profiles import USUAL_ROWS, USUAL_TOKENS, EngineShapes

    return EngineShapes(
        layout=layout,
        max_rows=arguments.max_batch_size,
        max_length=arguments.max_length,
        usual_rows=USUAL_ROWS,
        usual_tokens=USUAL_TOKENS,
    )
