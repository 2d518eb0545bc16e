"""The two consoles: results on standard output, everything else on standard error. NO_COLOR is rich's to respect."""

import logging

from rich.console import Console
from rich.logging import RichHandler


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to `guarded` that the reader has gone; rich would exit with 1."""
        raise BrokenPipeError


out = _Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def log_to_terminal(verbose: bool) -> None:
    """Show warnings of the engine on standard error, with `verbose` also what it does."""
    handler = RichHandler(console=err, show_time=False, show_path=False, markup=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler], force=True)
    logging.getLogger("pipelines").setLevel(logging.INFO if verbose else logging.WARNING)
