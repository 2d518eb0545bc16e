"""What CONTRIBUTING, README and the page on the architecture say about the code is so: each path and name exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "CONTRIBUTING.md", ROOT / "docs" / "architecture.md", ROOT / "README.md"]
LEAST_QUESTIONS = 28

_CODE = re.compile(r"`([^`\n]+)`")
_ROOMS = ("schemas/", "pipelines/", "assets/", "tests/", "benchmarks/", "docs/", ".ci/", ".github/")
_TOP = re.compile(r"(?:pyproject\.toml|Makefile|README\.md|mkdocs\.yml|[\w-]+\.lock)")


def references(text: str) -> set[str]:
    """The paths, with or without a name, that stand in backticks."""
    found = {code for code in _CODE.findall(text) if " " not in code and "<" not in code and "*" not in code}
    return {code for code in found if code.startswith(_ROOMS) or _TOP.fullmatch(code)}


def questions(text: str) -> list[str]:
    """The rows of the table `Where do I change …?`."""
    _, _, rest = text.partition("| I want to … | go to |\n|---|---|\n")
    return rest.partition("\n\n")[0].splitlines()


def defines(tree: ast.Module | ast.ClassDef, dotted: str) -> bool:
    """Whether a module or class has a name, or a member of a class of it."""
    name, _, member = dotted.partition(".")
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return not member or (isinstance(node, ast.ClassDef) and defines(node, member))
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        if not member and any(isinstance(of, ast.Name) and of.id == name for of in targets):
            return True
    return False


def problem(reference: str) -> str | None:
    """What is wrong with a reference, if anything is."""
    path, _, name = reference.partition("::")
    if not (ROOT / path).exists():
        return f"{path} is not there"
    if name and not defines(ast.parse((ROOT / path).read_text(encoding="utf-8")), name):
        return f"{path} has no {name}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_named_paths_and_names_exist(page: Path) -> None:
    """Each path in backticks is in the repository, and each name after `::` is defined in that file."""
    found = references(page.read_text(encoding="utf-8"))
    assert found
    assert [why for one in sorted(found) if (why := problem(one))] == []


def test_the_table_answers_a_newcomer() -> None:
    """At least 28 questions, and each answer names a place."""
    rows = questions((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert len(rows) >= LEAST_QUESTIONS
    assert [row for row in rows if not references(row)] == []


@pytest.mark.parametrize(
    "wrong", ["pipelines/push/gone.py", "schemas/columns.py::E165", "assets/ui/guard.py::Guard.gone"]
)
def test_a_wrong_reference_is_found(wrong: str) -> None:
    """The check tells a path or name that is not there."""
    assert problem(wrong) is not None
