"""The guides as their code blocks, commands and links."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.paths import ROOT

CHINESE_ENDING = ".zh-CN.md"
CHINESE, CHINESE_TUTORIAL = ROOT / "README.zh-CN.md", ROOT / "docs/tutorial.zh-CN.md"
"""Held to README.md and docs/tutorial.md, block by block; their commands run there."""

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Guide:
    """One document of the project."""

    path: Path

    @cached_property
    def text(self) -> str:
        """The whole document."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def blocks(self) -> list[tuple[str, str]]:
        """Every code block: its language, or nothing, and its content."""
        return _BLOCK.findall(self.text)

    @cached_property
    def prose(self) -> str:
        """The document without its code blocks."""
        return _BLOCK.sub("", self.text)

    def code(self, language: str) -> list[str]:
        """The blocks of one language."""
        return [content for name, content in self.blocks if name == language]

    @property
    def commands(self) -> list[str]:
        """Every line of the shell blocks."""
        return [line for block in self.code("sh") for line in block.splitlines()]

    @property
    def spans(self) -> list[str]:
        """Every piece of code inside a line."""
        return re.findall(r"`([^`\n]+)`", self.prose)

    @property
    def links(self) -> list[str]:
        """Every target of a link or picture."""
        return re.findall(r"\]\(([^)\s]+)\)", self.prose)

    @property
    def anchors(self) -> set[str]:
        """The headings as GitHub links to them."""
        headings = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        return {
            re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in headings
        }


def guide(name: str) -> Guide:
    """A document by its path from the root."""
    return Guide(path=ROOT / name)


GUIDES = {
    str(path.relative_to(ROOT)): Guide(path=path)
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if not path.name.endswith(CHINESE_ENDING)
}
"""The documents whose commands run, by path."""

POINTERS = {
    f"{folder}/README.md": guide(f"{folder}/README.md")
    for folder in ("build_scripts", "docker", "perf", "samples")
}
"""Documents without a guide's shell blocks."""

ALL = {
    **GUIDES,
    **POINTERS,
    CHINESE.name: Guide(path=CHINESE),
    "docs/tutorial.zh-CN.md": Guide(path=CHINESE_TUTORIAL),
}
