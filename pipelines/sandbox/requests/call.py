"""A request in the form for the functions of the resources."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.sandbox.account import Account
from pipelines.sandbox.replies import Reply


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        ids: values in the path, by their names in the route.
        query: the query; the last value of a repeated name.
        body: the JSON object of the body; empty if it is missing or not an object.
    """

    ids: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)


Handler = Callable[[Account, Call], Reply]
