"""What the jobs of a stage count beside their rows: `status ok` -> 12, and its place in the manifest."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cvr_data.modifications.asking.ask import Tally

FAULTS = ("refusal", "truncated", "empty", "unparsable", "schema", "no_sentence", "not_english")
"""Reasons that are told apart, as they are looked for in an answer."""
GOOD = "good"


def count_modification_values(kind: str, values: Iterable[Any]) -> Counter[str]:
    """Return how often each value is there, but null."""
    return Counter(f"{kind} {value}" for value in values if value is not None)


def count_modification_verdicts(status: Iterable[str], reasons: Iterable[Iterable[str]]) -> Counter[str]:
    """Return the counts of the statuses and of all reasons of rows."""
    return count_modification_values("status", status) + count_modification_values(
        "reasons", (reason for row in reasons for reason in row)
    )


def counted_requests(tally: Tally) -> Counter[str]:
    """Return what was asked, and what it cost."""
    return Counter({f"requests {name}": value for name, value in vars(tally).items()})


def gather_modification_counts(told: Mapping[str, Any], *kinds: str) -> dict[str, dict[str, Any]]:
    """Return kind -> value -> count, sorted."""
    return {
        kind: {name.removeprefix(f"{kind} "): told[name] for name in sorted(told) if name.startswith(f"{kind} ")}
        for kind in kinds
    }


def requests_of(told: Mapping[str, Any]) -> Tally:
    """Return what was asked by all jobs together; the seconds are those of all engines."""
    return Tally(**gather_modification_counts(told, "requests")["requests"])


def modification_fault(status: str, reasons: Sequence[str]) -> str:
    """Return what is wrong with an answer of this status and these reasons; `good` if nothing is.

    An answer is good, or wrong in one way, the first of: the engine failed (`error`), the model will not (`refusal`),
    it had no room (`truncated`), said nothing (`empty`), wrote no JSON (`unparsable`) or other JSON than the schema
    allows (`schema`), no sentence (`no_sentence`) or another language (`not_english`); what else lint refuses is
    `lint`. What rules cannot say is `unsayable`.
    """
    if status != "rejected":
        return GOOD if status == "ok" else "error"
    if any(reason.startswith("unsayable_") for reason in reasons):
        return "unsayable"
    return next((fault for fault in FAULTS if fault in reasons), "lint")


def wrong_answers(manifests: Iterable[Mapping[str, Any]]) -> dict[str, Counter[str]]:
    """Return model -> what was wrong -> how many answers, of the manifests that tell it.

    Of all attempts, also of texts that a later attempt saved.
    """
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for manifest in manifests:
        if manifest.get("answers"):
            found[str(manifest["config"]["model"])].update(manifest["answers"])
    return dict(sorted(found.items()))


def wrong_answers_text(manifests: Iterable[Mapping[str, Any]]) -> str:
    """Return a table of the shares of all answers, a line per model; empty if no manifest tells of answers."""
    found = wrong_answers(manifests)
    if not found:
        return ""
    counted = {fault for counts in found.values() for fault in counts}
    names = [name for name in (GOOD, "error", "unsayable", *FAULTS, "lint") if name in counted]
    width = max(map(len, (*found, "answers of")))
    lines = [f"{'answers of':<{width}}{'all':>10}" + "".join(f"{name:>{max(len(name), 6) + 2}}" for name in names)]
    for model, counts in found.items():
        shares = (f"{counts[name] / counts.total():>{max(len(name), 6) + 2}.1%}" for name in names)
        lines.append(f"{model:<{width}}{counts.total():>10}" + "".join(shares))
    return "\n".join(lines)
