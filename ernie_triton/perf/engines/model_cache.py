"""Build models of random weights once, and keep them.

Everything is under one folder: `checkpoints/` by shape, and `repository-<hash>/` by the hash of the
sources that built it. So a measurement always uses what this version of the project builds.
"""

import hashlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import ernie_triton
from ernie_triton.model_shapes import Shape
from ernie_triton.perf.baseline.repository import EXPORTED_GRAPH, write_baseline
from ernie_triton.perf.build_process import run_build

_SOURCES = Path(ernie_triton.__file__).parent
_SOURCE_SUFFIXES = (".py", ".pbtxt")
_DONE = ".complete"


def sources_hash() -> str:
    """Hash all sources that decide the result of a build."""
    digest = hashlib.sha256()
    for path in sorted(_SOURCES.rglob("*")):
        if path.suffix in _SOURCE_SUFFIXES:
            digest.update(f"{path.relative_to(_SOURCES)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCache:
    """The folder of the models.

    Attributes:
        folder: the folder.
        labels: number of labels of every model.
        sources: the hash of the sources.
    """

    folder: Path
    labels: int = 15
    sources: str = field(default_factory=sources_hash)

    @property
    def repository(self) -> Path:
        """Model repository of this version of the sources."""
        return self.folder / f"repository-{self.sources}"

    def checkpoint(self, shape: Shape, *, exported: bool = False) -> Path:
        """Make a checkpoint of random weights, where wanted with the graph as torch exports it.

        Raises:
            CheckpointError: the checkpoint cannot be made.
        """
        name = f"{shape.layers}x{shape.hidden}-{shape.heads}-{shape.feed_forward}-{self.labels}"
        folder = (self.folder / "checkpoints" / name).resolve()
        if not folder.is_dir():
            sizes = {
                "--layers": shape.layers,
                "--hidden": shape.hidden,
                "--heads": shape.heads,
                "--feed-forward": shape.feed_forward,
                "--labels": self.labels,
                "--output": folder,
            }
            run_build("random", *(str(word) for pair in sizes.items() for word in pair))
        if exported and not (folder / EXPORTED_GRAPH).is_file():
            run_build("export", folder)
        return folder

    def pipeline(self, name: str, shape: Shape, *options: str) -> str:
        """Build a pipeline of such a checkpoint into the repository.

        Args:
            name: of the pipeline; built again only where the options changed.
            shape: of its model.
            options: of `ernie-triton build`.

        Returns:
            The name.

        Raises:
            CheckpointError: the build fails.
        """
        marker = self.repository / name / _DONE
        wanted = " ".join(options)
        if not (marker.is_file() and marker.read_text(encoding="utf-8") == wanted):
            self._drop_older_repositories()
            checkpoint = self.checkpoint(shape)
            command = ["build", "--checkpoint", str(checkpoint), "--task", "seq_cls"]
            repository = str(self.repository.resolve())
            run_build(*command, "--repository", repository, "--name", name, *options)
            marker.write_text(wanted, encoding="utf-8")
        return name

    def baseline(self, name: str, shape: Shape) -> str:
        """Write the baseline of such a checkpoint into the repository; return the name.

        Raises:
            CheckpointError: the baseline cannot be made.
        """
        marker = self.repository / name / _DONE
        if not marker.is_file():
            self._drop_older_repositories()
            checkpoint = self.checkpoint(shape, exported=True)
            write_baseline(checkpoint, self.repository, name)
            marker.write_text("", encoding="utf-8")
        return name

    def _drop_older_repositories(self) -> None:
        for folder in self.folder.glob("repository-*"):
            if folder != self.repository:
                shutil.rmtree(folder)
