"""Groups records of activities by run, reading only as many as needed.

What does not belong here: the result of a run (`summary`), and reading or writing one record (`pipelines.runs`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter
from pathlib import Path

from pipelines.runs.activity_state import unended
from pipelines.runs.record_files import file_part, read_record, record_files, stamp, tag_in
from pipelines.runs.run_state import tag, unended_runs
from schemas.own_tables.sync import RunRecord


def by_run(data_dir: Path, begin: tuple[str, ...] = ("",)) -> Iterator[list[RunRecord]]:
    """Yield the activities of each run in the order in which they began, latest run first.

    This includes activities that have not ended. A run is read only when needed. Runs may overlap.

    Args:
        data_dir: the data directory.
        begin: only runs that were killed, or have an activity whose name begins with this, such as `push `.

    Raises:
        StorageError: a record cannot be read.
    """
    more = _by_tag(unended(data_dir))  # read first: an activity that ends meanwhile has its record later
    names = _files_by_tag(data_dir)
    earlier = names.pop("", [])  # records of an earlier version, whose names do not have the run
    kept = {tag(run) for run in unended_runs(data_dir)} | more.keys()
    names = _of_activities(names, begin, kept)
    seen = set()
    for one, began in _latest_first(names, more):
        if earlier and began < earlier[-1]:
            break
        seen.add(one)
        yield _activities(data_dir, names.get(one, []), more.get(one, []))
    for one, found in _by_tag(read_record(data_dir, name) for name in earlier).items():
        more[one] = [*found, *more.get(one, [])]
    for one, _ in _latest_first(names, more):
        if one not in seen:
            yield _activities(data_dir, names.get(one, []), more.get(one, []))


def _files_by_tag(data_dir: Path) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for name in record_files(data_dir):
        names.setdefault(tag_in(name), []).append(name)
    return names


def _of_activities(
    names: dict[str, list[str]], begin: tuple[str, ...], kept: Collection[str]
) -> dict[str, list[str]]:
    """Return files by the tags of runs: those in `kept`, and those whose activity begins as given."""
    parts = tuple(file_part(one) for one in begin)

    def has(files: Sequence[str]) -> bool:
        return any(name.split("-", 2)[-1].startswith(parts) for name in files)

    return {one: files for one, files in names.items() if one in kept or has(files)}


def _by_tag(records: Iterable[RunRecord]) -> dict[str, list[RunRecord]]:
    found: dict[str, list[RunRecord]] = {}
    for record in records:
        found.setdefault(tag(record.run), []).append(record)
    return found


def _latest_first(
    names: Mapping[str, Sequence[str]], more: Mapping[str, Sequence[RunRecord]]
) -> list[tuple[str, str]]:
    """Return the tags of runs with their beginnings, from their first record file and further records."""
    began = {
        one: min([*names.get(one, [])[:1], *(stamp(record) for record in more.get(one, []))])
        for one in names.keys() | more.keys()
    }
    return sorted(began.items(), key=itemgetter(1), reverse=True)


def _activities(data_dir: Path, names: Iterable[str], more: Iterable[RunRecord]) -> list[RunRecord]:
    records = [*more, *(read_record(data_dir, name) for name in names)]
    ended_last = {(record.activity, record.started_at): record for record in records}
    return sorted(ended_last.values(), key=attrgetter("started_at"))
