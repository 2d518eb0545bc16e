"""A local Trackly account that speaks the same API; it shares no code with the client or the engine."""

from pipelines.sandbox.account import API_KEY, Account, Options
from pipelines.sandbox.drift import drifting
from pipelines.sandbox.faults import Fault, Faults, parse_fault
from pipelines.sandbox.history import Export, write_history
from pipelines.sandbox.messages import configure, opt_out, reply, send
from pipelines.sandbox.seed import seed_account
from pipelines.sandbox.server import Server, listen, running, serve_forever
from pipelines.sandbox.webhooks import WORST_DAY, Endpoint, Mood, Webhooks

__all__ = [
    "API_KEY",
    "WORST_DAY",
    "Account",
    "Endpoint",
    "Export",
    "Fault",
    "Faults",
    "Mood",
    "Options",
    "Server",
    "Webhooks",
    "configure",
    "drifting",
    "listen",
    "opt_out",
    "parse_fault",
    "reply",
    "running",
    "seed_account",
    "send",
    "serve_forever",
    "write_history",
]
