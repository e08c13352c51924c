"""Dataclasses from TOML: nothing but what they describe gets in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ernie_triton.errors import DatasetError
from ernie_triton.strict_toml import read_described


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    name: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise DatasetError(f"weight is {self.weight}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    count: int
    file: Path | None = None
    levels: tuple[float, ...] = ()
    inners: tuple[Inner, ...] = ()
    named: Mapping[str, float] = field(default_factory=dict)


def read(tmp_path: Path, text: str) -> Outer:
    path = tmp_path / "described.toml"
    path.write_text(text, encoding="utf-8")
    return read_described(Outer, path, DatasetError)


def test_every_kind_of_field_is_read(tmp_path: Path) -> None:
    text = """
    count = 3
    file = "../texts.txt"
    levels = [1, 2.5]
    [[inners]]
    name = "a"
    [[inners]]
    name = "b"
    weight = 2
    [named]
    x = 1
    """
    assert read(tmp_path, text) == Outer(
        count=3,
        file=tmp_path.parent / "texts.txt",
        levels=(1.0, 2.5),
        inners=(Inner(name="a"), Inner(name="b", weight=2.0)),
        named={"x": 1.0},
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the key 'count' is missing"),
        ("count = 1\ncuont = 2", "unknown key 'cuont'; known are count, file, levels"),
        ("count = true", "count is True; expected int"),
        ("count = 1\nlevels = 3", "levels is 3; expected a list"),
        ('count = 1\nlevels = ["x"]', "levels[0] is 'x'; expected float"),
        ("count = 1\n[[inners]]\nweight = 1", "the key 'name' is missing"),
        ('count = 1\n[[inners]]\nname = "a"\nweight = -1', "weight is -1.0"),
        ("count = ", "cannot be read as TOML"),
    ],
)
def test_a_mistake_is_named_with_the_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError) as raised:
        read(tmp_path, text)
    assert message in str(raised.value)
    assert "described.toml" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nothing\.toml cannot be read"):
        read_described(Outer, tmp_path / "nothing.toml", DatasetError)
