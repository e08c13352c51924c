"""The list of known flaws in docs/dependencies.md against what is installed; no network needed."""

import datetime
import importlib.metadata
import re

import pytest

from tests.paths import ROOT

_ROW = re.compile(r"\| ([\w-]+) \| ([\d.]+) \| ([^|]+) \| (\d{4}-\d\d-\d\d) \| [^|]+ \|")
_ADVISORY = re.compile(r"CVE-\d{4}-\d{4,}|GHSA(-\w{4}){3}|PYSEC-\d{4}-\d+")
ROWS = _ROW.findall((ROOT / "docs/dependencies.md").read_text(encoding="utf-8"))


def numbers(version: str) -> tuple[int, ...]:
    """The release of a version, as in 2.13.0+cpu."""
    found = [int(part) for part in re.findall(r"\d+", version.partition("+")[0])]
    return tuple((*found, 0, 0)[:3])


def test_each_row_names_advisories_and_a_day_that_has_been() -> None:
    assert len(ROWS) == len({package for package, *_ in ROWS}) > 5
    for _, _, advisories, day in ROWS:
        assert all(_ADVISORY.fullmatch(one) for one in advisories.split(", ")), advisories
        assert datetime.date.fromisoformat(day) <= datetime.date.today()


@pytest.mark.parametrize(("package", "fixed"), [row[:2] for row in ROWS])
def test_what_is_installed_has_no_flaw_of_the_list(package: str, fixed: str) -> None:
    try:
        installed = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{package} is not installed")
    assert numbers(installed) >= numbers(fixed)


@pytest.mark.parametrize(("package", "fixed"), [row[:2] for row in ROWS])
def test_what_is_asked_for_is_not_older(package: str, fixed: str) -> None:
    """The lower bounds of pyproject.toml, where they name such a package."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    if package == "onnx":
        pytest.skip("Paddle's converter needs an older one, see Accepted")
    for bound in re.findall(rf'"{package}>=([\d.]+)', text):
        assert numbers(bound) >= numbers(fixed)
