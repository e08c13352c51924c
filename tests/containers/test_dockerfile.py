"""docker/Dockerfile: what it copies is there, what it runs works, and who runs it."""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.containers.compose import services
from tests.containers.dockerfile import Stage, arguments_before_stages, json_list, stages
from tests.containers.programs import ROOT, program
from tests.environments import SITE_PACKAGES, new_environment

# The same code that docker-compose sends a build's files with.
_LIST_CONTEXT = """
import sys
from docker.utils.build import exclude_paths
lines = open(".dockerignore", encoding="utf-8").read().splitlines()
print("\\n".join(sorted(exclude_paths(".", [line for line in lines if line[:1] != "#"]))))
"""


@pytest.fixture(scope="module")
def context() -> list[str]:
    """The files that the engine is sent, by the rules of .dockerignore."""
    done = subprocess.run(
        [program("/usr/bin/python3"), "-c", _LIST_CONTEXT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def server() -> Stage:
    return stages()["server"]


@pytest.fixture(scope="module")
def build() -> Stage:
    return stages()["build"]


def test_the_image_is_nvidias_of_the_tag_that_is_asked_for(server: Stage, build: Stage) -> None:
    assert arguments_before_stages() == ["TRITON_TAG"]  # no default: .env has the tag
    assert server.base == "nvcr.io/nvidia/tritonserver:${TRITON_TAG}-py3"
    assert build.base == "server"


def test_everything_that_is_copied_is_sent_to_the_engine(
    server: Stage, build: Stage, context: list[str]
) -> None:
    for line in [*server.all("COPY"), *build.all("COPY")]:
        for source in line.split()[:-1]:
            assert any(name == source or name.startswith(f"{source}/") for name in context), source


def test_nothing_that_is_not_copied_is_sent(
    server: Stage, build: Stage, context: list[str]
) -> None:
    sources = [
        source for line in [*server.all("COPY"), *build.all("COPY")] for source in line.split()[:-1]
    ]
    spare = {
        name
        for name in context
        if not any(name == source or name.startswith(f"{source}/") for source in sources)
    }
    assert spare <= {".dockerignore"}  # which the engine takes out itself
    assert not any("__pycache__" in name for name in context)


def test_the_stages_end_as_a_user_without_rights(server: Stage, build: Stage) -> None:
    for stage in (server, build):
        assert stage.all("USER")[-1] == "1000:1000"
        kinds = [kind for kind, _ in stage.instructions]
        last_user = len(kinds) - 1 - kinds[::-1].index("USER")
        assert not {"RUN", "COPY"} & set(kinds[last_user:])
        assert "ADD" not in kinds
        # NVIDIA's own entrypoint sets up the driver; replacing it would lose that.
        assert "ENTRYPOINT" not in kinds


def test_the_image_checks_its_health_as_compose_does(server: Stage) -> None:
    options, command = server.all("HEALTHCHECK")[0].split(" CMD ")
    healthcheck = services()["triton"]["healthcheck"]
    whole = ["CMD", *json_list(command)]
    assert healthcheck["test"][: len(whole)] == whole  # compose adds what TLS and keys need
    given = dict(option.removeprefix("--").split("=") for option in options.split())
    assert given["interval"] == healthcheck["interval"]
    assert given["timeout"] == healthcheck["timeout"]
    assert given["retries"] == str(healthcheck["retries"])


def test_the_scripts_that_commands_name_are_in_the_image(server: Stage, build: Stage) -> None:
    copied = {
        "build": " ".join([*server.all("COPY"), *build.all("COPY")]),
        "triton": " ".join(server.all("COPY")),
    }
    resolved = services()
    for name, lines in copied.items():
        commands = [resolved[name]["command"], resolved[name]["healthcheck"]["test"]]
        named = {part for command in commands for part in command if part.startswith("docker/")}
        assert bool(named) == (name == "build")
        assert all(script in lines.split() for script in named)


def test_its_install_steps_work_in_a_clean_environment(tmp_path: Path) -> None:
    """Everything but the download: requirements are met by this environment's packages.

    That the registry has all of them for the images' Pythons is not what a test without a network
    can show; here pip reads our metadata, finds each requirement of the extras met in its version,
    builds the package from what the Dockerfile copied, and what was installed is run.
    """
    python = _clean_environment(tmp_path)
    app = tmp_path / "app"
    _wheels_of_bindings(tmp_path / "wheels")
    environment = {
        **{key: os.environ[key] for key in ("HOME", "LANG") if key in os.environ},
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "CUDA_VERSION": "12.6.1.006",
        "LD_LIBRARY_PATH": str(tmp_path / "tensorrt"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path / "wheels"),
        # pip's own rule: the variable is the option's negation.
        "PIP_NO_BUILD_ISOLATION": "0",
        "BUILD_EXTRAS": "build",
    }
    _run_stage(stages()["server"], app, environment)
    where = "import ernie_triton.server.check_plans; print(ernie_triton.__file__)"
    assert str(python.parents[1]) in _output(python, tmp_path, "-c", where)
    assert "--text" in _output(python, app, "-m", "clients.seq_cls_grpc_client", "--help")
    _run_stage(stages()["build"], app, environment)
    assert "build" in _output(python, app, "-m", "build_scripts", "--help")
    version = "import tensorrt, tensorrt_bindings as own; print(tensorrt.__version__, own.__file__)"
    assert _output(python, tmp_path, "-c", version).startswith(f"10.4.0 {python.parents[1]}")


def _output(python: Path, folder: Path, *arguments: str) -> str:
    done = subprocess.run([python, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _clean_environment(tmp_path: Path) -> Path:
    """A new virtual environment that sees this one's packages, but not this project."""
    hidden = ("ernie_triton", "__editable__", "tensorrt", "distutils-precedence")
    names = (path.name for path in SITE_PACKAGES.iterdir())
    python = new_environment(tmp_path, (name for name in names if not name.startswith(hidden)))
    # What `tensorrt_packages.py` looks for in the image.
    (tmp_path / "tensorrt").mkdir()
    (tmp_path / "tensorrt" / "libnvinfer.so.10.4.0").touch()
    return python


def _run_stage(stage: Stage, app: Path, environment: dict[str, str]) -> None:
    """Do what its COPY instructions and those of RUN that install do, in a folder of our own."""
    app.mkdir(exist_ok=True)
    settings = {
        key: value for key, value in stage.environment().items() if key[:3] in ("PIP", "NV")
    }
    for kind, arguments in stage.instructions:
        if kind == "COPY":
            *sources, target = arguments.split()
            for source in sources:
                to = app / target / Path(source).name if target.endswith("/") else app / target
                if (ROOT / source).is_dir():
                    shutil.copytree(
                        ROOT / source,
                        to,
                        ignore=shutil.ignore_patterns("__pycache__"),
                        dirs_exist_ok=True,
                    )
                else:
                    to.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / source, to)
        elif kind == "RUN" and "pip install" in arguments:
            step = arguments.replace("/tmp/", f"{app.parent}/")
            done = subprocess.run(
                ["/bin/sh", "-c", step],
                cwd=app,
                env={**environment, **settings},
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, f"{step}\n{done.stdout}\n{done.stderr}"


def _wheels_of_bindings(folder: Path) -> None:
    """Stand-ins for NVIDIA's two packages, named and versioned as in the registry."""
    folder.mkdir()
    for name, module in (
        ("tensorrt_cu12", "tensorrt"),
        ("tensorrt_cu12_bindings", "tensorrt_bindings"),
    ):
        information = f"{name}-10.4.0.dist-info"
        with zipfile.ZipFile(folder / f"{name}-10.4.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{module}/__init__.py", '__version__ = "10.4.0"\n')
            wheel.writestr(
                f"{information}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 10.4.0\n"
            )
            wheel.writestr(
                f"{information}/WHEEL",
                "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            )
            wheel.writestr(f"{information}/RECORD", "")
