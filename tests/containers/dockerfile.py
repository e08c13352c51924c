"""docker/Dockerfile as its stages' instructions, as far as these tests need the syntax."""

import json
import re
import shlex
from dataclasses import dataclass, field

from tests.containers.programs import ROOT

PATH = ROOT / "docker" / "Dockerfile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One build stage: what it starts from, and its instructions in order."""

    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        """The arguments of every instruction of this kind."""
        return [arguments for kind, arguments in self.instructions if kind == instruction]

    def environment(self) -> dict[str, str]:
        """What its ENV instructions set."""
        pairs = [pair for line in self.all("ENV") for pair in shlex.split(line)]
        return dict(pair.split("=", 1) for pair in pairs)


def stages() -> dict[str, Stage]:
    """The stages by name."""
    found: dict[str, Stage] = {}
    current: Stage | None = None
    for kind, arguments in _instructions(PATH.read_text(encoding="utf-8")):
        if kind == "FROM":
            base, _, name = arguments.split()
            current = found[name] = Stage(name=name, base=base)
        elif current is not None:
            current.instructions.append((kind, arguments))
    return found


def arguments_before_stages() -> list[str]:
    """The ARG instructions that FROM may use."""
    lines = _instructions(PATH.read_text(encoding="utf-8"))
    return [arguments for kind, arguments in lines[: [k for k, _ in lines].index("FROM")]]


def json_list(arguments: str) -> list[str]:
    """The exec form of CMD, ENTRYPOINT or HEALTHCHECK."""
    values = json.loads(arguments)
    assert all(isinstance(value, str) for value in values)
    return [str(value) for value in values]


def _instructions(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [
        (kind, " ".join(arguments.split()))
        for kind, arguments in (line.split(maxsplit=1) for line in joined.splitlines() if line)
    ]
