"""The peer: dlt with its rest_api source, tuned for this task, in an environment of its own.

Tuned means: pages of 1000, the pages of the resource read in parallel, no nested tables, the Parquet loader, two
normalizing workers. `python dlt_pull.py BASE_URL FOLDER` prints the seconds that the pipeline took.
"""

import os
import sys
import time

os.environ["NORMALIZE__WORKERS"] = "2"
os.environ["NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS"] = "100000"
os.environ["EXTRACT__WORKERS"] = "4"
os.environ["DATA_WRITER__BUFFER_MAX_ITEMS"] = "50000"
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"


def main(base_url: str, folder: str) -> None:
    """Pull all contacts into Parquet files."""
    import dlt
    from dlt.destinations import filesystem
    from dlt.sources.rest_api import rest_api_source

    source = rest_api_source(
        {
            "client": {
                "base_url": base_url,
                "headers": {"X-Api-Key": "trk_" + "a" * 32},
                "paginator": {
                    "type": "page_number",
                    "base_page": 1,
                    "page_param": "page",
                    "total_path": "pagination.total_pages",
                },
            },
            "resources": [
                {
                    "name": "contacts",
                    "endpoint": {
                        "path": "contacts",
                        "params": {"per_page": 1000},
                        "data_selector": "contacts",
                    },
                    "parallelized": True,
                    "max_table_nesting": 0,
                    "primary_key": ["phone_number", "list_id"],
                    "write_disposition": "replace",
                }
            ],
        },
        parallelized=True,
    )
    pipeline = dlt.pipeline("bench", destination=filesystem(f"file://{folder}/out"), pipelines_dir=folder)
    started = time.perf_counter()
    pipeline.run(source, loader_file_format="parquet")
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(*sys.argv[1:])
