"""Records of activities put together by their runs, without reading more of them than is asked for.

What does not belong here: what a run came to (`summary`), and reading or writing one record (`pipelines.runs`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter
from pathlib import Path

from pipelines.runs.activity_state import unended
from pipelines.runs.record_files import file_part, read_record, record_files, stamp, tag_in
from pipelines.runs.run_state import tag, unended_runs
from schemas.own_tables.sync import RunRecord


def by_run(data_dir: Path, begin: tuple[str, ...] = ("",)) -> Iterator[list[RunRecord]]:
    """The activities of each run, in the order in which they began; the run that began last comes first.

    Activities that have not ended are among them. A run is read when it is asked for. Runs may overlap.

    Args:
        data_dir: the data directory.
        begin: only runs that were killed, or have an activity on record that begins so, such as `push `.

    Raises:
        StorageError: a record cannot be read.
    """
    more = _by_tag(unended(data_dir))  # first: what ends meanwhile has its record by then
    names = _files_by_tag(data_dir)
    earlier = names.pop("", [])  # an earlier version's, which have to be read to see of which runs they are
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
    """Files by the tags of runs: those to be kept, and those with an activity that begins so."""
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
    """Runs by their tags, each with when it began: by the first file of its records, and by further records."""
    began = {
        one: min([*names.get(one, [])[:1], *(stamp(record) for record in more.get(one, []))])
        for one in names.keys() | more.keys()
    }
    return sorted(began.items(), key=itemgetter(1), reverse=True)


def _activities(data_dir: Path, names: Iterable[str], more: Iterable[RunRecord]) -> list[RunRecord]:
    records = [*more, *(read_record(data_dir, name) for name in names)]
    ended_last = {(record.activity, record.started_at): record for record in records}
    return sorted(ended_last.values(), key=attrgetter("started_at"))
