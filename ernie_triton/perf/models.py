"""The models that are measured, built once and kept: random weights, so that all can have them.

Everything is under one folder: `checkpoints/`, by shape, and `repository-<hash>/`, by the hash of
the sources that built it, so that what is measured is what this version of the project builds.
"""

import hashlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import ernie_triton
from ernie_triton.model_shapes import Shape
from ernie_triton.perf.baseline.repository import EXPORTED_FILE, write_baseline
from ernie_triton.perf.building import build_scripts

_SOURCES = Path(ernie_triton.__file__).parent
_SOURCE_SUFFIXES = (".py", ".pbtxt")
_DONE = ".complete"


def sources_hash() -> str:
    """A hash of everything that decides what a build makes."""
    digest = hashlib.sha256()
    for path in sorted(_SOURCES.rglob("*")):
        if path.suffix in _SOURCE_SUFFIXES:
            digest.update(f"{path.relative_to(_SOURCES)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCache:
    """Where the models are.

    Attributes:
        folder: of everything.
        labels: that all models have.
        sources: the hash of the sources, as they are when this is made.
    """

    folder: Path
    labels: int = 15
    sources: str = field(default_factory=sources_hash)

    @property
    def repository(self) -> Path:
        """The model repository of this version of the sources."""
        return self.folder / f"repository-{self.sources}"

    def checkpoint(self, shape: Shape, *, exported: bool = False) -> Path:
        """A checkpoint of random weights, with the graph as torch exports it where that is wanted.

        Raises:
            CheckpointError: it cannot be made.
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
            build_scripts("random", *(str(word) for pair in sizes.items() for word in pair))
        if exported and not (folder / EXPORTED_FILE).is_file():
            build_scripts("export", folder)
        return folder

    def pipeline(self, name: str, shape: Shape, *options: str) -> str:
        """A pipeline of such a checkpoint in the repository.

        Args:
            name: of the ensemble.
            shape: of its model.
            options: of `build_scripts build`; they belong to the name, which is built once.

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
            build_scripts(*command, "--repository", repository, "--name", name, *options)
            marker.write_text(wanted, encoding="utf-8")
        return name

    def baseline(self, name: str, shape: Shape) -> str:
        """The baseline of such a checkpoint in the repository; returns the name.

        Raises:
            CheckpointError: it cannot be made.
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
