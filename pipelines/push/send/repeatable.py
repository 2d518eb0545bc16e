"""Sends sends or clicks. The API skips repeats of these, so one `Sending` is enough.

What does not belong here: revenue, which is settled between its calls (`pipelines.push.revenue.loop`).
"""

from pipelines.privacy import Privacy
from pipelines.push.checks.compared import Compared
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.send.options import SendChoices
from pipelines.push.send.queries import Queue
from pipelines.push.send.sender import Sending
from pipelines.settings import Settings
from pipelines.trackly.client import TracklyClient


async def send_repeatable(
    compared: Compared,
    client: TracklyClient,
    ledger: Ledger,
    settings: Settings,
    choices: SendChoices,
    seen: int,
) -> None:
    """Send the new rows of a stage, and pending rows again.

    Args:
        compared: the stage.
        client: the account.
        ledger: an open ledger.
        settings: how many calls may be under way, and what share of the first may be refused.
        choices: the options of the caller.
        seen: the ledger's `last_chunk` before the stage was compared with it.

    Raises:
        TracklySyncError: see `Sending.run`.
    """
    if not (compared.new() or compared.retries(ledger)):
        return
    sending = Sending(
        client,
        ledger,
        compared.dataset,
        total=ledger.outcomes()[compared.dataset].pending - compared.later(ledger),
        on_progress=choices.on_progress,
        canary_share=settings.push_canary_share,
        privacy=Privacy.of(settings),
        seen=seen,
    )
    # Twice as many workers as calls may be under way: a worker that waits for its turn costs nothing.
    await sending.run(Queue(compared), settings.concurrency * 2)
