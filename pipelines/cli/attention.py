"""What somebody should look at, as `status` and `report` put it together. What does not belong here: judging it."""

from collections.abc import Mapping

from pipelines.cli.show import pull_notes, push_notes
from pipelines.push.verdicts import Outcomes
from pipelines.runs import unended
from pipelines.settings import Settings
from schemas.sync import Manifest


def attention(
    settings: Settings, pulled: Mapping[str, Manifest], pushed: Mapping[str, Outcomes]
) -> list[str]:
    """Sentences, each with the command for it.

    Raises:
        StorageError: the warehouse or a run's record cannot be read.
    """
    from pipelines.watched import conditions  # noqa: PLC0415 - help answers at once

    alerting = [
        f"{condition.text}. {condition.remedy}"
        for condition in conditions(settings, lambda _: pushed)
        if condition.firing and condition.name.startswith(("stale:", "failed:", "missing:"))
    ]
    killed = [
        f"{record.activity} was killed; nothing is half-done, run it again: trackly-sync {record.activity}"
        for record in unended(settings.data_dir)
        if record.status == "killed" and record.activity.startswith(("pull ", "push "))
    ]
    return [*alerting, *killed, *pull_notes(pulled), *push_notes(pushed)]
