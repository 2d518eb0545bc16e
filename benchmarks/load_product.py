"""The product: the stage of one file of sends, as a push builds it before anything is judged.

`python benchmarks/load_product.py FILE` prints the peak of memory in MB and, on the last line, the seconds of
processor that it took; of imports only those that loading itself makes count.
"""

import resource
import sys
import tempfile
from pathlib import Path

from pipelines.push.files.find import FORMATS, Source
from pipelines.push.stage.database import building, count
from schemas.registry import PUSHED


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak_mb() -> float:
    """The most memory that this process held; getrusage's maximum begins with that of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    file = Path(sys.argv[1])
    source = Source(file, "sends", FORMATS[file.suffix])
    before = _processor()
    with (
        tempfile.TemporaryDirectory() as folder,
        building(Path(folder) / "s.duckdb", PUSHED["sends"], [source], Path(folder) / "none") as connection,
    ):
        if count(connection, "SELECT count(*) FROM input WHERE problem IS NOT NULL"):
            raise SystemExit("a row has a problem")
    seconds = _processor() - before
    print(_peak_mb())
    print(seconds)
