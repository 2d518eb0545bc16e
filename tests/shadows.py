"""A working folder with modules named like ours and our libraries': whoever imports one is stopped."""

from pathlib import Path

_PACKAGES = ("assets", "pipelines", "schemas", "dagster")
_MODULES = ("pandas", "duckdb", "random", "queue", "workspace")


def write_shadows(folder: Path) -> None:
    """Make the modules in a folder."""
    stop = "raise SystemExit('{name} of the working folder was imported')\n"
    for name in _PACKAGES:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(stop.format(name=name))
        (folder / name / "definitions.py").write_text(stop.format(name=f"{name}.definitions"))
    for name in _MODULES:
        (folder / f"{name}.py").write_text(stop.format(name=name))
