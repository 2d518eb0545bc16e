# ruff: noqa: INP001 - mkdocs loads it by its path
"""A hook of mkdocs: each page says at its foot of which version it is."""

import tomllib
from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Read the version where the package has it."""
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8"))
    config.copyright = f"Trackly Sync {project['project']['version']}"
    return config
