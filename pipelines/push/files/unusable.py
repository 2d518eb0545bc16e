"""Collects the errors of files that cannot be used, and names all of them in one error.

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
        errors: the error of each file.
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
    """Collects the errors of unusable files.

    Args:
        errors: errors that were raised before.
    """

    def __init__(self, *errors: UsageError) -> None:
        self._errors: list[UsageError] = []
        for error in errors:
            self._note(error)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Keep a UsageError that the block raises for one file or several, and go on."""
        try:
            yield
        except UsageError as error:
            self._note(error)

    def refuse(self) -> None:
        """Raise the errors that were kept, as one error.

        Raises:
            UsageError: a file cannot be used.
        """
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            raise UnusableFilesError(self._errors)

    def _note(self, error: UsageError) -> None:
        self._errors.extend(error.errors if isinstance(error, UnusableFilesError) else [error])
