"""A command whose extra is not installed names it, wherever its module imports the package."""

from pathlib import Path

import pytest

from ernie_triton.commands import Command, run_commands

AT_ONCE = "import not_to_be_had.part\n\n"
BY_RUN = "\n    import not_to_be_had.part\n"


@pytest.mark.parametrize(("before", "within"), [(AT_ONCE, ""), ("", BY_RUN)])
def test_the_extra_of_a_missing_package_is_named_in_one_line(
    before: str,
    within: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    module = f"needs_{'by_run' if within else 'at_once'}"
    source = f"{before}def add_options(parser): pass\n\ndef run(arguments):{within}\n    return 0\n"
    (tmp_path / f"{module}.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    command = Command(name="plot", help="", module=module, extra="perf")
    assert run_commands([command], "", ["plot"], "ernie-triton") == 1
    assert capsys.readouterr().err == (
        "error: `plot` needs the package 'not_to_be_had', which is not installed; "
        "run: pip install 'ernie-triton[perf]'\n"
    )
    without = Command(name="plot", help="", module=module)
    with pytest.raises(ModuleNotFoundError, match="not_to_be_had"):
        run_commands([without], "", ["plot"], "ernie-triton")
