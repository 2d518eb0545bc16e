"""What runs the checks elsewhere runs the same as here: CI, pre-commit and make."""

import ast
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


def modules() -> dict[str, Path]:
    """Every module and package of ours, by its dotted name."""
    found = (path for room in ("schemas", "pipelines", "assets") for path in (ROOT / room).rglob("*.py"))
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in found
    }


def test_what_a_module_leaves_to_others_is_there() -> None:
    """Where it says what does not belong in it, the module in parentheses exists, in its room or in one above."""
    ours, missing = modules(), []
    for name, path in ours.items():
        doc = ast.get_docstring(ast.parse(path.read_text())) or ""
        elsewhere = re.split(r"not belong\s+here|must\s+not\s+go\s+in", doc)[1:]
        room = name if path.name == "__init__.py" else name.rpartition(".")[0]
        above = [room.rsplit(".", up)[0] + "." for up in range(room.count(".") + 1)] + [""]
        for named in re.findall(r"\((`[^)]+)\)", " ".join(elsewhere)):
            for of in re.findall(r"`([a-z_.]+)`", named):
                is_there = any(base + of in ours for base in above)
                module, _, inside = of.rpartition(".")
                holder = next((ours[base + module] for base in above if base + module in ours), None)
                if not is_there and not (holder and re.search(rf"\b{inside}\b", holder.read_text())):
                    missing.append((name, of))
    assert missing == []
    assert len(ours) > 400
