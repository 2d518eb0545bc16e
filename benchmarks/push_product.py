"""The product: one full push of a file of sends, with its ledger and the books in the warehouse.

`python benchmarks/push_product.py BASE_URL FOLDER FILE` prints the seconds of the ledger's writes and, on the last
line, those of the whole push, imports left out as for the floor.
"""

import sys
import time
from pathlib import Path
from typing import Any

from pipelines.push.ledger.ledger import Ledger
from pipelines.push.run import push
from pipelines.settings import load_settings

SPENT: list[float] = []


def timed(verb: str) -> None:
    """Have the time of one of the ledger's verbs noted."""
    real = getattr(Ledger, verb)

    def run(self: Ledger, *arguments: Any, **more: Any) -> Any:
        started = time.perf_counter()
        try:
            return real(self, *arguments, **more)
        finally:
            SPENT.append(time.perf_counter() - started)

    setattr(Ledger, verb, run)


if __name__ == "__main__":
    for name in ("intend", "answer", "take_in"):
        timed(name)
    settings = load_settings(api_key="trk_" + "a" * 32, base_url=sys.argv[1], data_dir=Path(sys.argv[2]))
    started = time.perf_counter()
    report = push(settings, ["sends"], [Path(sys.argv[3])])
    seconds = time.perf_counter() - started
    of = report.outcomes["sends"]
    if of.accepted != of.rows_in:
        raise SystemExit(f"not everything was accepted: {of}")
    print(sum(SPENT))
    print(seconds)
