"""How many examples the tests of properties try: few for everybody, many with HYPOTHESIS_PROFILE=thorough."""

import os

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
_MANY = 10


def examples(usual: int) -> int:
    """So many as a rule, ten times as many in a thorough run."""
    return usual * _MANY if THOROUGH else usual


def seeds(usual: int) -> range:
    """The same of seeds of a test that draws for itself."""
    return range(examples(usual))
