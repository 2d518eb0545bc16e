"""A local Trackly account with the same API; it shares no code with the client or the engine.

serving ─▶ faults ─▶ requests ─▶ contacts, campaigns, messages, v1 ─▶ account (the state) ─▶ replies (in pages:
`pagination`); webhooks

`made_up` fills an account, `saved` keeps one in a file. What does not belong here: anything that the product needs.
"""

from pipelines.sandbox.account import API_KEY, Account, Options
from pipelines.sandbox.faults.kinds import Fault, Faults, parse_fault
from pipelines.sandbox.made_up.account import seed_account
from pipelines.sandbox.made_up.campaigns import seed_campaigns
from pipelines.sandbox.made_up.drift import drifting, set_status
from pipelines.sandbox.made_up.history import LEAST_SENDS, Export, write_history
from pipelines.sandbox.messages.send import configure, opt_out, reply, send
from pipelines.sandbox.saved import load, save
from pipelines.sandbox.serving.server import Server, listen, running, serve_forever
from pipelines.sandbox.webhooks import WORST_DAY, Endpoint, Mood, Webhooks

__all__ = [
    "API_KEY",
    "LEAST_SENDS",
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
    "load",
    "opt_out",
    "parse_fault",
    "reply",
    "running",
    "save",
    "seed_account",
    "seed_campaigns",
    "send",
    "serve_forever",
    "set_status",
    "write_history",
]
