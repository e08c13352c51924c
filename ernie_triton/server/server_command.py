"""A tritonserver command that somebody else wrote: what its options say, and other options."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_GRPC_PORT = "8001"


@dataclass(frozen=True, slots=True)
class ServerCommand:
    """The program and its options, each as `--name=value`; Triton's defaults hold for others."""

    parts: tuple[str, ...]

    @property
    def program(self) -> str:
        """The program."""
        return self.parts[0]

    @property
    def repositories(self) -> list[str]:
        """The repositories: folders, or addresses such as `s3://…`."""
        options = (part.partition("=") for part in self.parts)
        return [place for name, _, place in options if name == "--model-repository"]

    @property
    def folders(self) -> list[Path]:
        """The repositories that are folders here."""
        return [Path(place) for place in self.repositories if Path(place).is_dir()]

    @property
    def models(self) -> list[str]:
        """The models to load; none for all."""
        loaded = [p.partition("=")[2] for p in self.parts if p.startswith("--load-model=")]
        return [] if "*" in loaded else loaded

    @property
    def grpc_address(self) -> tuple[str, int]:
        """Host and port of gRPC."""
        host = self.option("--grpc-address", "0.0.0.0")
        return host, int(self.option("--grpc-port", _GRPC_PORT))

    @property
    def metrics_url(self) -> str:
        """The address of Triton's metrics from this machine."""
        return f"http://127.0.0.1:{self.option('--metrics-port', '8002')}/metrics"

    def option(self, name: str, default: str) -> str:
        """The value of an option."""
        values = [part.partition("=")[2] for part in self.parts if part.startswith(f"{name}=")]
        return values[-1] if values else default

    def replaced(self, old: str, new: str) -> "ServerCommand":
        """The command with other text in place of a word's part."""
        return ServerCommand(tuple(part.replace(old, new) for part in self.parts))

    def with_options(self, options: Sequence[str]) -> "ServerCommand":
        """The command with these options, in place of those of the same names."""
        names = {option.partition("=")[0] for option in options}
        kept = (part for part in self.parts if part.partition("=")[0] not in names)
        return ServerCommand((*kept, *options))

    def with_more(self, options: Sequence[str]) -> "ServerCommand":
        """The command with these options beside those of the same names."""
        return ServerCommand((*self.parts, *options))
