"""Files that cannot be used as they are: all of them are named in one error, so that one look corrects them all.

What does not belong here: why a file cannot be used (`parse`, `bounds`, `stage.query_cage`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pipelines.errors import UsageError
from pipelines.text.humanize import plural

_MOST_NAMED = 10


class UnusableFilesError(UsageError):
    """Several files cannot be used.

    Args:
        errors: that of each file.
    """

    def __init__(self, errors: Sequence[UsageError]) -> None:
        named = " ".join(str(error) for error in errors[:_MOST_NAMED])
        more = len(errors) - _MOST_NAMED
        super().__init__(
            f"{plural(len(errors), 'file')} cannot be used. {named}{f' And {more} more.' if more > 0 else ''}"
        )
        self.errors = tuple(errors)

    def __reduce__(self) -> tuple[type["UnusableFilesError"], tuple[tuple[UsageError, ...]]]:  # type: ignore[override]
        return type(self), (self.errors,)


class Unusable:
    """The errors of files so far.

    Args:
        errors: those that were raised already.
    """

    def __init__(self, *errors: UsageError) -> None:
        self._errors: list[UsageError] = []
        for error in errors:
            self._note(error)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Keep what the block raises of a file, or of several, and go on."""
        try:
            yield
        except UsageError as error:
            self._note(error)

    def refuse(self) -> None:
        """Raise what was kept.

        Raises:
            UsageError: a file cannot be used.
        """
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            raise UnusableFilesError(self._errors)

    def _note(self, error: UsageError) -> None:
        self._errors.extend(error.errors if isinstance(error, UnusableFilesError) else [error])
