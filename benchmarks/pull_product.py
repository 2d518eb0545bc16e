"""The product: one full pull of contacts into Parquet and the warehouse.

`python benchmarks/pull_product.py BASE_URL FOLDER CONCURRENCY` prints the seconds that it took, without
imports, as the floor.
"""

import sys
import time
from pathlib import Path

from pipelines.pull.run import pull
from pipelines.settings import load_settings

if __name__ == "__main__":
    settings = load_settings(
        api_key="trk_" + "a" * 32,
        base_url=sys.argv[1],
        data_dir=Path(sys.argv[2]),
        concurrency=int(sys.argv[3]),
    )
    started = time.perf_counter()
    pull(settings, ["contacts"], "benchmark")
    print(time.perf_counter() - started)
