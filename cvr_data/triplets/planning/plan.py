"""What a build will yield, be worth and cost, before it is paid for: pilots that grow until a bound is met.

    plan/  first/  pilot-200/  (pilot-400/ ...)  report/plan.json  report/plan.txt

A pilot is drawn from mined pairs and taken through the real stages (`planning.pilot`). Shares of it, with intervals,
stand for the whole. What a text is worth people say (`cvr export-judgments`), or a judge; where a wanted purity is
given, a cut of a score is chosen that reaches it, and what the cut costs is told. Where a judge is at hand, pilots grow
(each begins with the one before) until the bound is met, cannot be met, or `most` pairs are drawn; the error is shared
out among the looks, so that stopping early does not flatter.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.artifact_files import MANIFEST
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.lineage import lineage, lineage_funnel
from cvr_data.core.registry import config_dict
from cvr_data.core.whole_files import json_bytes
from cvr_data.modifications.asking.cache import RequestCache
from cvr_data.modifications.backends import load_backend
from cvr_data.triplets.judgments import triplet_verdicts_of_folder
from cvr_data.triplets.planning.costs import Rates, triplet_build_costs
from cvr_data.triplets.planning.draw import STAGE as PAIRS_STAGE
from cvr_data.triplets.planning.draw import Draw
from cvr_data.triplets.planning.pilot import SIDES, Pilot, Stages, run_triplet_pilot, triplet_pilot_scores
from cvr_data.triplets.planning.report import triplet_build_plan_text
from cvr_data.triplets.planning.shares import ChosenCut, Share, choose_triplet_score_cut, share_of

STAGE, VERSION = "plan", 1
FIRST = 20
"""Pairs of the small pilot that tells what starting takes."""
ALPHA = 0.05
TRIED = 2
"""Bounds of one look: of all texts, and of those that a cut keeps."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How large the pilots are, and what is wanted."""

    pairs: int = 200
    """Of the first pilot; each further one has twice as many."""
    most: int = 1600
    """Pairs of the largest pilot."""
    seed: int = 0
    """Of the draw."""
    purity: float | None = None
    """Share of the triplets that should be right, between 0 and 1; None: as it comes."""

    def __post_init__(self) -> None:
        if self.pairs < 1 or self.most < self.pairs:
            raise ValueError("pairs must be at least 1, and most at least pairs.")
        if self.purity is not None and not 0 < self.purity < 1:
            raise ValueError("purity must lie between 0 and 1.")

    def looks(self, *, is_growing: bool) -> list[int]:
        """Return the sizes of the pilots."""
        sizes = [self.pairs]
        while is_growing and sizes[-1] < self.most:
            sizes.append(min(2 * sizes[-1], self.most))
        return sizes


def plan_triplet_build(
    pairs: Path, out: Path, config: Config, stages: Stages, *, rates: Rates, judgments: Path | None = None,
    cache: Path, overwrite: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Run the pilots, write the report and return it.

    Raises:
        CvrError: there are no pairs, what the stages raise, or the folders hold something else.
    """
    source = open_artifact(pairs, PAIRS_STAGE)
    if (out / MANIFEST).exists():
        raise CvrError(f"{out} holds an artifact; give the plan a folder of its own (--out).")
    stages = replace(stages, is_scored=stages.is_scored or config.purity is not None)
    run: Any = {"cache": cache, "overwrite": overwrite}
    whole = source.manifest["rows"]
    first = None
    if whole >= config.pairs + FIRST:
        first = run_triplet_pilot(
            pairs, out / "first", Draw(pairs=FIRST, seed=config.seed, from_end=True), stages, **run
        )
    sizes = config.looks(is_growing=config.purity is not None and stages.judge is not None and judgments is None)
    for size in sizes:
        drawn = Draw(pairs=size, seed=config.seed)
        pilot = run_triplet_pilot(pairs, out / f"pilot-{size}", drawn, stages, **run)
        worth = triplet_pilot_purity(pilot, judgments, config.purity, alpha=ALPHA / len(sizes))
        if worth.get("verdict") in ("met", "not_reachable") or pilot.pairs.manifest["rows"] >= whole:
            break
    with_history = replace(rates, seconds_per_request=rates.seconds_per_request or _as_before(stages, cache))
    record = {
        "pairs": whole,
        "pilot": {"pairs": pilot.pairs.manifest["rows"], "folder": pilot.folder.name, "seed": config.seed,
                  "looks": len(sizes)},
        "mined": [step.as_json() for step in lineage_funnel(lineage([pairs])) if step.stage == PAIRS_STAGE],
        "yield": yield_of(pilot, whole),
        "purity": worth,
        "costs": triplet_build_costs(first, pilot, whole, with_history),
        "commands": _commands(source, worth),
    }  # fmt: skip
    _write(out / "report", record, pilot, config)
    return record


def _as_before(stages: Stages, cache: Path) -> float | None:
    """Return the seconds that a request took in earlier runs of the model; None where the cache knows none."""
    backend = load_backend(stages.texts.backend, stages.texts.options)
    if backend.is_pure or not cache.exists():
        return None
    with RequestCache(cache) as opened:
        history = opened.history(backend.model)
    return history.seconds / history.requests if history and history.requests else None


def yield_of(pilot: Pilot, pairs: int) -> dict[str, Any]:
    """Return, for each step after the pairs, how many texts it kept and dropped, with intervals; and the triplets.

    The shares of a step are of all texts; `triplets` are those of mined pairs in the whole corpus, `further` the rows
    that list more right answers of them.
    """
    rows, is_kept_N = pilot.rows, pilot.is_kept_N
    population = round(pairs * rows.num_rows / max(pilot.pairs.manifest["rows"], 1))

    def share(hits_N: np.ndarray) -> dict[str, Any]:
        return asdict(share_of(hits_N, pilot.groups_N, population=population))

    lost = list(zip(*(rows.column(name).to_pylist() for name in ("step", "reason")), strict=True))
    dropped: dict[str, dict[str, Any]] = {}
    for step, reason in dict.fromkeys(each for each in lost if each[0]):
        dropped.setdefault(step, {})[reason] = share(np.array([each == (step, reason) for each in lost]))
    kept = share(is_kept_N)
    splits = Counter(split or "none" for split in rows.filter(pa.array(is_kept_N)).column("split").to_pylist())
    return {
        "texts": rows.num_rows,
        "kept": kept,
        "dropped": dropped,
        "triplets": {end: kept[end] * population for end in ("value", "low", "high")},
        "further": pilot.triplets.manifest["rows"] - int(is_kept_N.sum()),
        "splits": dict(sorted(splits.items())),
    }


def triplet_pilot_purity(
    pilot: Pilot, judgments: Path | None, wanted: float | None, *, alpha: float = ALPHA
) -> dict[str, Any]:
    """Return how many of the judged triplets are right, and the cut that reaches a wanted purity.

    People's verdicts count where there are any, else the judge's. A text that people reworded was not right.
    """
    right = _by_people(pilot, judgments) if judgments is not None else _by_judge(pilot)
    judged = [row for row in np.flatnonzero(pilot.is_kept_N).tolist() if right[row] is not None]
    by = "people" if judgments is not None else "judge" if _has_judge(pilot) else None
    found: dict[str, Any] = {"by": by, "wanted": wanted, "judged": len(judged), "kept": int(pilot.is_kept_N.sum())}
    if not len(judged):
        return {**found, "by": None}
    is_right_N = np.array([bool(right[row]) for row in judged])
    groups_N = pilot.groups_N[judged]
    each = alpha / (TRIED if wanted is not None else 1)
    plain = share_of(is_right_N, groups_N, alpha=each)
    found |= {"share": asdict(plain), "level": 1 - each}
    if wanted is None:
        return found
    if plain.low >= wanted:
        return {**found, "verdict": "met"}
    scores = {name: values_N[judged] for name, values_N in triplet_pilot_scores(pilot.rows).items()}
    chosen = choose_triplet_score_cut(scores, SIDES, is_right_N, groups_N, wanted=wanted, alpha=each)
    return {**found, "cut": _told(chosen), "verdict": _verdict(plain, chosen, wanted)}


def _told(chosen: ChosenCut | None) -> dict[str, Any] | None:
    return None if chosen is None else asdict(chosen)


def _verdict(plain: Share, chosen: ChosenCut | None, wanted: float) -> str:
    if chosen is not None and chosen.purity.low >= wanted:
        return "met"
    reachable = max(plain.high, chosen.purity.high if chosen is not None else 0.0)
    return "not_reachable" if reachable < wanted else "open"


def _has_judge(pilot: Pilot) -> bool:
    return "judge_verdict" in pilot.rows.column_names


def _by_judge(pilot: Pilot) -> Sequence[bool | None]:
    if not _has_judge(pilot):
        return [None] * pilot.rows.num_rows
    return [each and each == "valid" for each in pilot.rows.column("judge_verdict").to_pylist()]


def _by_people(pilot: Pilot, judgments: Path) -> Sequence[bool | None]:
    verdicts = triplet_verdicts_of_folder(judgments).verdicts
    names = ("reference_id", "target_id", "style", "modification")
    found: list[bool | None] = []
    for *key, text in zip(*(pilot.rows.column(name).to_pylist() for name in names), strict=True):
        verdict = verdicts.get(tuple(key))
        found.append(None if verdict is None else verdict.reason is None and verdict.modification == text)
    if all(each is None for each in found):
        raise CvrError(f"{judgments} judges no text of {pilot.folder}; review {pilot.triplets.path}, with this seed.")
    return found


def _commands(pairs: Artifact, worth: Mapping[str, Any]) -> list[str]:
    """Return the options that make the chosen cut, as the commands take them."""
    if not (chosen := worth.get("cut")) or worth["verdict"] != "met":
        return []
    score, bound = chosen["cut"]["score"], chosen["cut"]["bound"]
    options = {"cycle_gain": "--min-gain", "cycle_score": "--min-score", "text_score": "--max-text-score"}
    if score in options:
        return [f"cvr score-modifications MODIFICATIONS {options[score]} {bound:g}"]
    name = score.replace("_", "-")
    used: Mapping[str, Any] = next(
        (each for each in pairs.manifest["config"].get("filters", ()) if each["name"] == name), {}
    )
    kept = [f"{key}={value}" for key, value in sorted(used.items()) if key in ("high", "encoder")]
    return [f"cvr mine-pairs VIDEOS -f +{name}:{','.join([f'low={bound:g}', *kept])}"]


def _write(folder: Path, record: Mapping[str, Any], pilot: Pilot, config: Config) -> None:
    about = {**config_dict(config), "record": record["pilot"]}
    inputs = {"triplets": pilot.triplets.path}
    with ArtifactWriter(folder, stage=STAGE, version=VERSION, config=about, inputs=inputs, overwrite=True) as writer:
        writer.write_file("plan.json", json_bytes(record))
        writer.write_file("plan.txt", ("\n".join(triplet_build_plan_text(record)) + "\n").encode())
        writer.finish(rows=pilot.rows.num_rows)
