"""Where jobs run."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Engine:
    """Where jobs run."""

    kind: Literal["local", "ray"] = "local"
    workers: int = 1
    """Processes; 1 and local is this process."""
    address: str | None = None
    """Of a running Ray cluster, or `auto`; None starts a Ray of its own here."""

    @property
    def is_here(self) -> bool:
        """Whether jobs run one by one in this process."""
        return self.kind == "local" and self.workers <= 1
