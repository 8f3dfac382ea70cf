"""What the jobs of a stage count beside their rows: `status ok` -> 12, and its place in the manifest."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from cvr_data.modifications.asking.ask import Tally


def counted(kind: str, values: Iterable[Any]) -> Counter[str]:
    """Return how often each value is there, but null."""
    return Counter(f"{kind} {value}" for value in values if value is not None)


def counted_verdicts(status: Iterable[str], reasons: Iterable[Iterable[str]]) -> Counter[str]:
    """Return the counts of the statuses and of all reasons of rows."""
    return counted("status", status) + counted("reasons", (reason for row in reasons for reason in row))


def counted_requests(tally: Tally) -> Counter[str]:
    """Return what was asked, and what it cost."""
    return Counter({f"requests {name}": value for name, value in vars(tally).items()})


def gathered(told: Mapping[str, Any], *kinds: str) -> dict[str, dict[str, Any]]:
    """Return kind -> value -> count, sorted."""
    return {
        kind: {name.removeprefix(f"{kind} "): told[name] for name in sorted(told) if name.startswith(f"{kind} ")}
        for kind in kinds
    }


def requests_of(told: Mapping[str, Any]) -> Tally:
    """Return what was asked by all jobs together; the seconds are those of all engines."""
    return Tally(**gathered(told, "requests")["requests"])
