"""Settings: what a user may set, what is wrong with a text, and reading them all.

environment, .env ─▶ load ─▶ declared (a `Settings`), checks (each text) ─▶ problems (what to say of one)
misspelt (names that only resemble a setting), broken_lines (of .env);  demo_account (where a demo's is served)

What does not belong here: anything that opens files of data, connects, or imports the engine.
"""

from pipelines.settings.declared import DEMO_MARKER, DOCUMENTED_BASE_URL, Settings
from pipelines.settings.environment import given_settings
from pipelines.settings.load import load_settings

__all__ = ["DEMO_MARKER", "DOCUMENTED_BASE_URL", "Settings", "given_settings", "load_settings"]
