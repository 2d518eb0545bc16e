"""Dagster in tests: a process reads the migrations of its databases once.

Each instance has two databases or three, and each run whose records are files has one more. All are new, so that they
are only marked as up to date; to find out what that is, Alembic reads 90 files each time.
"""

from functools import cache

from alembic.script import ScriptDirectory

ScriptDirectory.from_config = cache(ScriptDirectory.from_config)  # type: ignore[method-assign] # of configurations, of which Dagster has three
