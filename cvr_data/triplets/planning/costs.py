"""What the whole corpus will take, from two pilots of different size: time, requests, tokens, engine hours, bytes.

What starting takes is told apart from what a pair takes by a small pilot that shares no pair with the large one and
goes first. Where that cannot be told apart, all of the large pilot's time counts for its pairs, which is the most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvr_data.core.artifacts import Artifact
from cvr_data.modifications.generate import GIVEN_THE_CACHE
from cvr_data.triplets.planning.pilot import Pilot


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What is known beside the pilot."""

    tokens_per_s: float | None = None
    """Tokens that the engine will write per second; None: as in the pilot."""
    seconds_per_request: float | None = None
    """As earlier runs of the model went; used where the cache answers the whole pilot."""
    gpus: int = 1
    """That the engine takes."""


def triplet_build_costs(first: Pilot | None, pilot: Pilot, pairs: int, rates: Rates) -> dict[str, Any]:
    """Return what so many pairs take, by stage and together; tokens and engine hours are None where nothing was asked.

    Args:
        first: the small pilot that went before; None where there are too few pairs for one.
        pilot: the large one.
        pairs: of the whole corpus.
        rates: what is known beside them.
    """
    before = {artifact.stage: artifact for artifact in first.made_by()} if first else {}
    drawn = [each.pairs.manifest["rows"] if each else 0 for each in (first, pilot)]
    stages = {}
    for artifact in pilot.made_by():
        small = before.get(artifact.stage)
        per_pair, start = triplet_cost_rates([_seconds(each) for each in (small, artifact)], drawn)
        asked = _asked([small, artifact], pairs / drawn[1], rates) or {}
        bytes_per_pair, _ = triplet_cost_rates([_bytes(each) for each in (small, artifact)], drawn)
        stages[artifact.stage] = {
            "seconds": start + per_pair * pairs + asked.get("engine_seconds", 0.0),
            "bytes": round(bytes_per_pair * pairs),
            **asked,
        }
    totals = {name: _total(stages, name) for name in ("seconds", "bytes", "requests", "tokens_in", "tokens_out")}
    engine = _total(stages, "engine_seconds")
    hours = None if engine is None else engine / 3600
    runs_on = next((each.manifest["runs_on"] for each in pilot.made_by() if "runs_on" in each.manifest), None)
    is_of_gpu = rates.tokens_per_s is not None or not (runs_on or "").startswith("cpu")
    return {
        **totals,
        "engine_hours": hours,
        "gpu_hours": hours * rates.gpus if hours is not None and is_of_gpu else None,
        "runs_on": runs_on,
        "stages": stages,
    }


def triplet_cost_rates(values: list[float], units: list[int]) -> tuple[float, float]:
    """Return what a pair (or request) takes and what starting does, of what each of two pilots took."""
    (small, large), (few, many) = values, units
    slope = (large - small) / (many - few) if few and many > few else 0.0
    if slope <= 0:  # the first one started what the second found running
        return large / max(many, 1), small
    return slope, max(0.0, small - few * slope)


def _seconds(artifact: Artifact | None) -> float:
    """Time of a stage without what its engine took, which is reckoned by what was asked of it."""
    if artifact is None:
        return 0.0
    return max(0.0, float(artifact.manifest["seconds"]) - (_requests(artifact).get("seconds") or 0.0))


def _requests(artifact: Artifact | None) -> Mapping[str, Any]:
    """What was asked of an engine; nothing of rules, whose texts follow from the pairs alone."""
    if artifact is None or artifact.manifest.get("determinism") != GIVEN_THE_CACHE:
        return {}
    return artifact.manifest["requests"]


def _asked(artifacts: Sequence[Artifact | None], times: float, rates: Rates) -> dict[str, Any] | None:
    """Return requests, tokens and seconds of the engine for the whole corpus; None where there is no engine.

    Args:
        artifacts: of the small and of the large pilot.
        times: how often the large pilot's pairs are in the whole.
        rates: what is known beside them.
    """
    found = [_requests(artifact) for artifact in artifacts]
    if not found[1] or artifacts[1] is None:
        return None
    whole = (found[1]["asked"] + found[1]["cached"]) * times
    new = max(found[1]["asked"], 1)
    kept = artifacts[1].manifest.get("tokens", {})  # of answers that the cache had, those that became texts
    tokens = {name: (found[1][f"tokens_{name}"] / new if found[1]["asked"] else kept.get(name, 0)
                     / max(artifacts[1].manifest["rows"], 1)) * whole for name in ("in", "out")}  # fmt: skip
    per_request, start = triplet_cost_rates(*([each.get(name, 0) for each in found] for name in ("seconds", "asked")))
    seconds = per_request * whole + start if found[1]["asked"] else None
    if rates.tokens_per_s:
        seconds = tokens["out"] / rates.tokens_per_s
    elif seconds is None and rates.seconds_per_request is not None:
        seconds = rates.seconds_per_request * whole
    told = {"requests": round(whole), "tokens_in": round(tokens["in"]), "tokens_out": round(tokens["out"])}
    return told if seconds is None else {**told, "engine_seconds": seconds}


def _bytes(artifact: Artifact | None) -> float:
    return float(sum(path.stat().st_size for path in _files(artifact.path))) if artifact else 0.0


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _total(stages: Mapping[str, Mapping[str, Any]], name: str) -> float | None:
    found = [stage[name] for stage in stages.values() if name in stage]
    return sum(found) if found else None
