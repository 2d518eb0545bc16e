"""The exit codes of every command, of the engine's errors and of jobs that run in this process.

What does not belong here: which error has which (`errors`), and when rows left out are too many (`cli`, `assets`).
"""

DONE = 0
FAILED = 1
USAGE = 2
LEFT_OUT = 3
STOPPED = 130
TERMINATED = 143

MEANINGS = {
    f"{DONE}": "done, within limits",
    f"{FAILED}": "failed, nothing half-done",
    f"{USAGE}": "usage or settings",
    f"{LEFT_OUT}": "done, but rows were left out beyond the limit (rejected, quarantined, parked or in doubt); "
    "of lint: errors or warnings were found; of reconcile: revenue is perhaps there twice",
    f"{STOPPED}, {TERMINATED}": "stopped by Ctrl-C or SIGTERM, nothing half-done",
}
"""For the reference."""
