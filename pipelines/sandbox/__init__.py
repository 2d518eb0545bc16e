"""A local Trackly account that speaks the same API; it shares no code with the client or the engine."""

from pipelines.sandbox.account import API_KEY, Account, Options
from pipelines.sandbox.drift import drifting
from pipelines.sandbox.faults import Fault, Faults, parse_fault
from pipelines.sandbox.history import Export, write_history
from pipelines.sandbox.seed import seed_account
from pipelines.sandbox.server import Server, listen, running, serve_forever

__all__ = [
    "API_KEY",
    "Account",
    "Export",
    "Fault",
    "Faults",
    "Options",
    "Server",
    "drifting",
    "listen",
    "parse_fault",
    "running",
    "seed_account",
    "serve_forever",
    "write_history",
]
