"""Arguments that commands share, and the checks of dataset names and of runs' ids."""

import difflib
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Annotated

import typer

from pipelines.errors import NothingYetError, UsageError

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def chosen(names: Sequence[str] | None, known: Collection[str]) -> list[str]:
    """Return the named datasets, or all; each once, in the order of `known`.

    Raises:
        UsageError: a name is not a known dataset.
    """
    for name in names or ():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
            raise UsageError(f"{name!r} is not a dataset.", hint)
    return [name for name in known if not names or name in names]


def run_named(begin: str, runs: Iterable[str], kind: str) -> str:
    """Return the one run whose id begins as given.

    Args:
        begin: the id, or its beginning.
        runs: every id, in any order.
        kind: the word for such a run in the error.

    Raises:
        NothingYetError: there is no run at all.
        UsageError: no run's id begins as given, or several do.
    """
    every = set(runs)
    if not every:
        raise NothingYetError("Nothing has run yet.", "Begin with: trackly-sync pull")
    found = sorted(run for run in every if run.startswith(begin))
    if not found:
        raise UsageError(f"No {kind} begins with {begin!r}.", "Those on record: trackly-sync runs")
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} runs begin with {begin!r}.", f"Say more of it: {', '.join(found[:5])}"
        )
    return found[0]


def dataset_names(known: Collection[str]) -> Callable[[str], list[str]]:
    """Return a function that completes a dataset's name in a shell."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in known if name.startswith(incomplete)]

    return complete
