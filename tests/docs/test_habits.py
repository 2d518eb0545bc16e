"""What runs the checks elsewhere runs the same as here: CI, pre-commit and make."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_ci_runs_the_two_commands_on_every_supported_python() -> None:
    """With the programs that `.ci/run` installs, so that none of their tests is skipped."""
    job = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["test"]
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands[1:3] == ["make demo", "make test"]
    assert [command.split()[-2:] for command in commands[3:]] == [["check", "defs"]]
    installed = re.findall(r"missing\+=\((\w+)\)|for program in ([\w ]+);", (ROOT / ".ci/run").read_text())
    programs = {name for found in installed for names in found for name in names.split()}
    assert programs == {"postgresql", "nginx", "haproxy", "squid"}
    assert programs <= set(commands[0].split())
    assert job["strategy"]["matrix"]["python"][0] == "3.11", "as pyproject.toml asks for at the least"


def test_pre_commit_runs_the_tools_of_make_lint() -> None:
    """By the versions in .venv, none of its own."""
    (own,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert own["repo"] == "local"
    lint = (ROOT / "Makefile").read_text()
    for hook in own["hooks"]:
        assert hook["entry"].split(" --")[0].replace(".venv/bin", "$(BIN)") in lint


def test_make_test_installs_the_runtime_before_it_installs_two_things_at_once() -> None:
    """Both need it, and two that install it into one folder take each other's files away."""
    assert re.search(r"^test: \.venv/\.runtime ", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_make_check_names_tests_that_are_there() -> None:
    quick = re.search(r"^QUICK := (.*?)\n\n", (ROOT / "Makefile").read_text(), re.DOTALL | re.MULTILINE)
    assert quick
    assert all((ROOT / path).exists() for path in quick[1].replace("\\\n", " ").split())
