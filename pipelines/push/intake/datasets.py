"""The intake of several datasets, one after the other, each with its record of the run.

What does not belong here: the intake of one dataset (`dataset`), and which files there are (`files.find`).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NoReturn

from pipelines.errors import UsageError
from pipelines.push.files.find import Source
from pipelines.push.files.unusable import Unusable
from pipelines.push.intake.dataset import judged, take_in
from pipelines.push.intake.found import Intake
from pipelines.push.intake.options import IntakeChoices
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.stage.database import building, count, is_current, stage_path
from pipelines.push.stage.query_cage import Bounds
from pipelines.push.stage.redact import holds_phones
from pipelines.run_records.failures import failure_recorded
from pipelines.runs.recording import recorded
from pipelines.settings import Settings
from pipelines.storage import work_folder
from schemas.registry import PUSHED

Files = Mapping[str, Sequence[Source]]
"""The files of each dataset."""


def is_ready(settings: Settings, name: str, sources: Sequence[Source]) -> bool:
    """Return whether the stage of a dataset was built from these files in their present state, and can be sent.

    Args:
        settings: the place of stage and warehouse, and whether phone numbers are hashed.
        name: the dataset.
        sources: its files.
    """
    path = stage_path(settings, name)
    current = is_current(path, sources, settings.warehouse, Bounds.of(settings))
    return current and (settings.hash_phones is None or holds_phones(path))


def failed_intake_recorded(
    settings: Settings, sources: Files, choices: IntakeChoices
) -> AbstractContextManager[None]:
    """Record an intake as failed if it fails before its first dataset begins.

    Args:
        settings: the place of the records.
        sources: the files of each dataset.
        choices: what the caller chose.
    """
    names = [name for name in PUSHED if name in sources]
    return failure_recorded(settings.data_dir, choices.run, [f"take in {name}" for name in names])


def take_in_all(
    settings: Settings, sources: Files, ledger: Ledger, choices: IntakeChoices
) -> dict[str, Intake]:
    """Rebuild stages from their files, and record them in the ledger; returns what was found, by dataset.

    Args:
        settings: the place of stages and warehouse.
        sources: the files of each dataset.
        ledger: a ledger that is open for writing.
        choices: what the caller chose.

    Raises:
        UsageError: a file cannot be used as it is; the error names all of them.
    """
    found: dict[str, Intake] = {}

    def take(name: str) -> int:
        found[name] = take_in(settings, PUSHED[name], sources[name], ledger, choices.on_progress)
        return found[name].rows_in

    _each(settings, sources, choices, take)
    return found


def judge_all(settings: Settings, sources: Files, choices: IntakeChoices) -> None:
    """Rebuild stages from their files; `send_all` records each in the ledger when it comes to that dataset.

    Args:
        settings: the place of stages and warehouse.
        sources: the files of each dataset.
        choices: what the caller chose.

    Raises:
        UsageError: a file cannot be used as it is; the error names all of them.
    """

    def take(name: str) -> int:
        path = stage_path(settings, name)
        with judged(settings, path, PUSHED[name], sources[name], choices.on_progress) as stage:
            return count(stage, "SELECT count(*) FROM input")

    _each(settings, sources, choices, take)


def _each(settings: Settings, sources: Files, choices: IntakeChoices, take: Callable[[str], int]) -> None:
    """Take in every dataset, in the order of PUSHED, each with its record of the run.

    Args:
        settings: the place of all files.
        sources: the files of each dataset.
        choices: what the caller chose.
        take: takes in a dataset, by its name; returns its number of rows.

    Raises:
        UsageError: a file cannot be used as it is; the error names all of them.
    """
    names = [name for name in PUSHED if name in sources]
    for done, name in enumerate(names, start=1):
        try:
            with recorded(settings.data_dir, choices.run, f"take in {name}") as record:
                record.rows = take(name)
        except UsageError as error:
            refuse_unusable(settings, {later: sources[later] for later in names[done:]}, error)


def refuse_unusable(settings: Settings, sources: Files, first: UsageError) -> NoReturn:
    """Raise the error of a file, together with those of the files that were not read yet.

    Args:
        settings: the place of the warehouse.
        sources: by dataset, the files that were not read; they are read for errors only.
        first: the error that ended an intake.

    Raises:
        UsageError: always.
    """
    unusable = Unusable(first)
    with work_folder(settings.data_dir) as folder:
        for name, files in sources.items():
            path, bounds = folder / f"{name}.duckdb", Bounds.of(settings)
            with unusable.noted(), building(path, PUSHED[name], files, settings.warehouse, bounds):
                pass
    unusable.refuse()
    raise AssertionError  # not reached: `first` was noted
