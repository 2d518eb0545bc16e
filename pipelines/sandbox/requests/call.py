"""What a request asks for, as the functions of the resources take it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.sandbox.account import Account
from pipelines.sandbox.replies import Reply


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        ids: what stands in the path, by the name in the route.
        query: the query; of a name that is given twice, the last value.
        body: the JSON object of the body; empty where there is none, or where it is no object.
    """

    ids: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)


Handler = Callable[[Account, Call], Reply]
