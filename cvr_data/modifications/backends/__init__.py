"""Writers of modification texts, one file per LLM backend."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from cvr_data.core.registry import Family, Member
from cvr_data.modifications.asking.request import Backend


class BackendModule(Member, Protocol):
    """A module that loads an engine."""

    def load(self, config: Any) -> Backend:
        """Return the backend at once: its engine starts with the first request, if one comes."""


@runtime_checkable
class HasType(Protocol):
    """The Config of a backend that runs a network itself."""

    dtype: str
    """Type of its products; `auto` is what the device multiplies fast."""


@runtime_checkable
class HasDevice(Protocol):
    """The Config of such a backend that may be told where."""

    device: str


BACKENDS: Family[BackendModule] = Family(__name__, BackendModule)


def load_backend(name: str, options: Sequence[str]) -> Backend:
    """Return the backend of that name, whose engine has not started.

    Raises:
        CvrError: the backend or an option is unknown.
    """
    return BACKENDS.get(name).load(BACKENDS.config(name, options))
