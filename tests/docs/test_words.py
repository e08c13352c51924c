"""The guides agree with the project, with each other, and in both languages."""

import argparse
import re
from collections.abc import Iterator, Sequence
from importlib import import_module

import pytest

from ernie_triton.cli import COMMANDS
from ernie_triton.commands import Command
from ernie_triton.perf.goals.table import goals_table, read_goals
from tests.docs.guides import ALL, CHINESE, CHINESE_ENDING, CHINESE_TUTORIAL, GUIDES, Guide
from tests.paths import ROOT

README, CHINESE_README = GUIDES["README.md"], Guide(path=CHINESE)
_OTHERS_OPTIONS = {"--profile", "--url"}


def options(commands: Sequence[Command], place: str = "") -> Iterator[tuple[str, set[str]]]:
    """Each command below a place, with its options."""
    for command in commands:
        name = f"{place} {command.name}".strip()
        yield from options(command.group, name)
        if command.module:
            parser = argparse.ArgumentParser()
            import_module(command.module).add_options(parser)
            yield name, set(parser._option_string_actions)
            words = next((one for one in parser._actions if one.dest == "task"), None)
            if isinstance(words, argparse._SubParsersAction):
                for word, own in words.choices.items():
                    yield f"{name} {word}", set(own._option_string_actions)


OPTIONS = dict(options(COMMANDS))


def test_the_readme_is_read_in_one_go() -> None:
    assert len(README.text.splitlines()) <= 130


def test_both_languages_have_the_same_commands_programs_and_output() -> None:
    # Without the picture of the flow, whose words are translated.
    assert CHINESE_README.blocks[1:] == README.blocks[1:]
    assert Guide(path=CHINESE_TUTORIAL).blocks == GUIDES["docs/tutorial.md"].blocks
    assert [name for name, _ in CHINESE_README.blocks] == [name for name, _ in README.blocks]


def test_both_readmes_have_the_same_sections_figures_and_links() -> None:
    def skeleton(guide: Guide) -> list[int]:
        return [len(marks) for marks in re.findall(r"^(#+) ", guide.prose, re.MULTILINE)]

    def figures(guide: Guide) -> list[str]:
        tables = [line for line in guide.prose.splitlines() if line.startswith("|")]
        return re.findall(r"\d[\d.,]*\d|\d", "\n".join(tables))

    assert skeleton(CHINESE_README) == skeleton(README)
    assert figures(CHINESE_README) == figures(README)
    links = {link.replace(CHINESE_ENDING, ".md") for link in CHINESE_README.links}
    assert links - {README.path.name} == set(README.links) - {CHINESE.name}
    assert README.path.name in CHINESE_README.text.splitlines()[0]
    assert CHINESE.name in README.text.splitlines()[0]


@pytest.mark.parametrize("name", ALL)
def test_every_link_leads_somewhere(name: str) -> None:
    for link in ALL[name].links:
        if link.startswith(("http://", "https://")):
            continue
        file, _, anchor = link.partition("#")
        target = (ALL[name].path.parent / file) if file else ALL[name].path
        assert target.exists(), link
        if anchor:
            assert anchor in Guide(path=target).anchors, link


@pytest.mark.parametrize("name", ALL)
def test_every_file_that_is_named_is_there(name: str) -> None:
    tops = {path.name for path in ROOT.iterdir()} - {"build"}
    for span in ALL[name].spans:
        if re.fullmatch(r"[\w.\-]+(/[\w.\-]+)*/?", span) and span.split("/")[0] in tops:
            assert (ROOT / span).exists(), span


@pytest.mark.parametrize("name", ALL)
def test_every_option_that_is_named_is_one_of_a_command(name: str) -> None:
    known = set().union(*OPTIONS.values()) | _OTHERS_OPTIONS
    for span in ALL[name].spans:
        place = max(
            (place for place in OPTIONS if f"{span} ".startswith(f"ernie-triton {place} ")),
            default="",
            key=len,
        )
        wanted = OPTIONS[place] if place else known
        if span.startswith(("ernie-triton ", "--")):
            for option in re.findall(r"(?<!\S)--[a-z][\w-]*", span):
                assert option in wanted, span


def test_the_objectives_are_those_of_the_committed_figures() -> None:
    figures = ROOT / "docs" / "figures"
    runs = {name: read_goals(figures / f"goals-{name}.json").goals for name in ("vnni", "avx2")}
    for found in runs.values():
        assert goals_table(found) in GUIDES["docs/performance.md"].text
    assert set(read_goals(figures / "throughput-vnni.json").goals) < set(runs["vnni"])
    missed = {name: sum(not goal.is_met for goal in found) for name, found in runs.items()}
    counts = [(missed[name], len(found)) for name, found in runs.items()]
    (vnni, of_vnni), (avx2, of_avx2) = counts
    english = f"{vnni} of {of_vnni} objectives are missed with VNNI, {avx2} of {of_avx2} with AVX2"
    assert english in README.text
    chinese = (
        f"有 VNNI 时 {of_vnni} 项目标中有 {vnni} 项未达标，只有 AVX2 时 {of_avx2} 项中有 {avx2} 项"
    )
    assert chinese in CHINESE_README.text
    shown = re.findall(r" \**(\S+(?: ms)? \([\d.]+ to [\d.]+\))\** (?=\|)", README.prose)
    assert len(shown) == 10
    known = {goal.figure.text(goal.unit) for found in runs.values() for goal in found}
    assert set(shown) < known


def test_every_folder_of_the_map_is_there() -> None:
    rows = re.findall(r"^\| (`\w+/`.*?) \|", README.prose, re.MULTILINE)
    folders = re.findall(r"`(\w+)/`", " ".join(rows))
    assert len(folders) >= 10
    assert all((ROOT / folder).is_dir() for folder in folders)


def test_every_room_is_described() -> None:
    rooms = {path.parent.name for path in (ROOT / "ernie_triton").glob("*/__init__.py")}
    described = re.findall(r"^\| `(\w+)/` \|", GUIDES["docs/architecture.md"].prose, re.MULTILINE)
    assert set(described) == rooms
