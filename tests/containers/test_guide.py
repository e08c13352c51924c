"""docs/containers.md says what the files say."""

import re

from ernie_triton.gpu.images import GPUS, IMAGES
from tests.containers.compose import services
from tests.containers.dockerfile import stages
from tests.containers.programs import ROOT

_TEXT = (ROOT / "docs" / "containers.md").read_text(encoding="utf-8")
_COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def _rows(heading: str) -> list[list[str]]:
    """The cells of the table whose first column has this heading."""
    lines = _TEXT[_TEXT.index(f"| {heading} |") :].splitlines()[2:]
    table = lines[: next(i for i, line in enumerate(lines) if not line.startswith("|"))]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_the_images_are_those_the_code_knows() -> None:
    expected = [
        [image.tag, image.tensorrt, image.cuda, image.driver, image.oldest_driver]
        for image in IMAGES
    ]
    rows = _rows("tag")
    assert [row[:5] for row in rows] == expected
    assert [row[-1] for row in rows] == [image.compute_capability for image in IMAGES]


def test_the_gpus_are_those_the_code_knows() -> None:
    assert _rows("GPU") == [
        [
            gpu.name,
            gpu.compute_capability,
            ", ".join(gpu.tags),
            "fp16, int8" if gpu.has_int8 else "fp16",
        ]
        for gpu in GPUS
    ]


def test_every_variable_of_the_compose_file_is_explained_with_its_default() -> None:
    explained: dict[str, str] = {}
    for names, defaults, _ in _rows("variable"):
        each = re.findall(r"`(\w+)`", names)
        explained.update(zip(each, defaults.split(", "), strict=True))
    used = dict(re.findall(r"\$\{(\w+)(?::-([^}]*))?", _COMPOSE))
    assert set(explained) == {*used, "COMPOSE_PROFILES"}
    for name, default in used.items():
        if default:
            assert explained[name] == default, name


def test_an_owner_of_a_t4_or_a_v100_needs_four_commands() -> None:
    blocks = re.findall(r"```sh\n(git clone.*?)```", _TEXT, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        commands = block.strip().splitlines()
        assert len(commands) <= 4
        service, program = re.findall(r"exec (\S+) (\S+)", commands[-1])[0]
        assert service in services()
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        assert f'\n{program} = "' in project[project.index("[project.scripts]") :]
        assert any("pip install" in step for step in stages()["server"].all("RUN"))
    assert "TRITON_TAG=24.09" in blocks[1]
