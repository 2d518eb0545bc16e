"""Settings: their declarations, the checks of their texts, and loading them.

environment, .env ─▶ load ─▶ declared (a `Settings`), checks (each text) ─▶ problems (messages)
misspelt (names that only resemble a setting), broken_lines (of .env);  demo_account (the address of a demo's account)

What does not belong here: anything that opens files of data, connects, or imports the engine.
"""

from pipelines.settings.declared import DEMO_MARKER, DOCUMENTED_BASE_URL, Settings
from pipelines.settings.environment import given_settings
from pipelines.settings.load import load_settings

__all__ = ["DEMO_MARKER", "DOCUMENTED_BASE_URL", "Settings", "given_settings", "load_settings"]
