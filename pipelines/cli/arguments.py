"""Arguments that commands share, and the check of dataset names."""

import difflib
from collections.abc import Callable, Collection, Sequence
from typing import Annotated

import typer

from pipelines.errors import UsageError

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def chosen(names: Sequence[str] | None, known: Collection[str]) -> list[str]:
    """The datasets named, or all; each once, in the order of `known`.

    Raises:
        UsageError: a name is none of them.
    """
    for name in names or ():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
            raise UsageError(f"{name!r} is not a dataset.", hint)
    return [name for name in known if not names or name in names]


def dataset_names(known: Collection[str]) -> Callable[[str], list[str]]:
    """What a shell completes a dataset's name from."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in known if name.startswith(incomplete)]

    return complete
