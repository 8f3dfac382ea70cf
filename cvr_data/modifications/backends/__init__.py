"""Writers of modification texts, one file per LLM backend."""

from typing import Any, Protocol

from cvr_data.core.registry import Family, Member
from cvr_data.modifications.asking.request import Backend


class BackendModule(Member, Protocol):
    """A module that loads an engine."""

    def load(self, config: Any) -> Backend:
        """Return the backend at once: its engine starts with the first request, if one comes."""


BACKENDS: Family[BackendModule] = Family(__name__, BackendModule)
