"""No hidden state: what a module holds is not changed by what runs, except where one process needs one place."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ALLOWED = {
    "pipelines/process/interrupts.py::_state": "a signal handler takes no arguments, and a process has one SIGINT",
    "pipelines/process/interrupts.py::sys.unraisablehook": (
        "Python has one; an interrupt that it swallows must come again"
    ),
    "pipelines/cli/__init__.py::sys.stdout": "a process has one; every command and library writes results to it",
    "pipelines/cli/__init__.py::sys.stderr": "the same of remarks",
    "pipelines/storage.py::_umask": "the system forgets with which umask a process was started",
    "pipelines/runs/run_state.py::_open": "a run is its process's: who records an activity of it need not hand it on",
    "pipelines/process/heartbeat.py::_files": "whoever has a record open shows by it that the process lives",
    "pipelines/process/heartbeat.py::_going": "one thread shows it for all of them",
    "pipelines/process/heartbeat.py::_changing": "a process has one such thread, and a fork has none",
    "pipelines/runs/record_files.py::_refused": "a full disk keeps no record; the process still has to alert, once",
    "pipelines/push/stage/cleanup.py::_held": "stages are held until the process ends, not until a block does",
    "pipelines/databases/duckdb_instances.py::_idle": "instances of DuckDB wait here for the next block, each empty",
    "pipelines/databases/engines.py::_idle": "engines wait here for the next block, with compiled statements",
    "assets/ui/serve.py::tempfile.tempdir": "Dagster's programs make their sockets where it says",
    "assets/runs/engine_calls.py::sys.tracebacklimit": (
        "Dagster reads it after our code has ended; it is undone by then"
    ),
}
"""What may change while a process runs, and why it must be in one place."""

_CHANGING = frozenset(
    (
        *("add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem"),
        *("put", "put_nowait", "remove", "setdefault", "update"),
    )
)
_Targets = ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete


def names_of(tree: ast.Module) -> set[str]:
    """What a module binds at its top, and its cached functions: what those return is kept too."""
    found = set()
    for node in tree.body:
        match node:
            case ast.Assign(targets=targets):
                found |= {of.id for of in targets if isinstance(of, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
            case ast.FunctionDef(name=name, decorator_list=decorators):
                found |= {name for of in decorators if "cache" in ast.unparse(of)}
    return found


def modules_of(tree: ast.Module) -> set[str]:
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    return {(of.asname or of.name).partition(".")[0] for node in imports for of in node.names}


def base_of(node: ast.expr) -> str:
    """The name whose value an expression is a part of: `_state.count`, `_files[key]`, `_idle()`."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def targets_of(node: _Targets) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign | ast.Delete) else [node.target]


def changed_by(nodes: list[ast.AST], names: set[str], modules: set[str]) -> Iterator[str]:
    """Names of the module, and attributes of other modules, that a function changes, by all nodes of it."""
    for node in nodes:
        if isinstance(node, ast.Global):
            yield from node.names
        elif isinstance(node, _Targets):
            for target in targets_of(node):
                parts = target.elts if isinstance(target, ast.Tuple) else [target]
                for part in parts:
                    if isinstance(part, ast.Attribute | ast.Subscript) and base_of(part) in names:
                        yield base_of(part)
                    if isinstance(part, ast.Attribute) and base_of(part) in modules:
                        yield ast.unparse(part)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            given = node.args or node.keywords or node.func.attr in ("clear", "pop", "popitem")
            if node.func.attr in _CHANGING and given and base_of(node.func) in names:
                yield base_of(node.func)


def state_of(source: str) -> set[str]:
    """What a module's functions change that outlives them."""
    tree = ast.parse(source)
    names, modules = names_of(tree), modules_of(tree)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    found: set[str] = set()
    for function in functions:
        nodes = list(ast.walk(function))
        own = {of.id for of in nodes if isinstance(of, ast.Name) and isinstance(of.ctx, ast.Store)}
        own |= {of.arg for of in nodes if isinstance(of, ast.arg)}
        found |= set(changed_by(nodes, names - own, modules - own))
    return found


def test_no_module_keeps_what_changes() -> None:
    """Everything that is found is on the list, with its reason, and nothing is on it that is gone."""
    found = {
        f"{path.relative_to(ROOT)}::{name}"
        for room in ("schemas", "pipelines", "assets")
        for path in (ROOT / room).rglob("*.py")
        for name in state_of(path.read_text(encoding="utf-8"))
    }
    assert found == set(ALLOWED)


@pytest.mark.parametrize(
    "line",
    [
        "global kept; kept = 1",
        "kept['x'] = 1",
        "kept.x = 1",
        "kept['x'].append(1)",
        "kept.update(x=1)",
        "cached().put(1)",
        "del kept['x']",
        "kept['x'] += 1",
        "sys.tracebacklimit = 0",
    ],
)
def test_each_way_to_keep_something_is_found(line: str) -> None:
    """The check sees it in a function; a local value of the same name is none."""
    top = "import sys\nfrom functools import cache\nkept = {}\n@cache\ndef cached(): return []\n"
    assert state_of(f"{top}def work():\n    {line}\n")
    assert not state_of(f"{top}def work(kept, cached, sys):\n    {line}\n") or line.startswith("global")
