"""Why two videos are or are not a pair, in at most 20 lines: read from the pairs artifact, else asked of the strategy.

A dropped row names its step, and holds the values the filter saw: the filter's `explain` only puts them into words. A
pair that no file has was in a group that was dropped whole, was never among the neighbours that were looked at, or was
never proposed: the strategy's `explain` says why of each two captions, and those of one answer are one line. No model
is loaded for it: what a search found lies in the rows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.core.found_rows import DROPPED, KEPT, rows_with
from cvr_data.filters import FILTERS, ExplainsDrops
from cvr_data.language.words import words_of
from cvr_data.pairs.frames_by import FewFrames
from cvr_data.pairs.strategies import STRATEGIES, ComparesNeighbours, DropsGroups, ReadsFrames

MOST = 20
"""Lines of an answer."""
_SIMILARITIES = ("neighbour_similarity", "text_similarity")


class UnknownVideo(CvrError):
    """A corpus does not have a video."""


def why_not_paired_among(folders: Sequence[Path], reference_id: str, target_id: str) -> list[str]:
    """Return the verdicts of those pairs artifacts whose corpus has both videos: triplets may be made from several.

    Raises:
        CvrError: none has, or one of them cannot be read.
    """
    lines: list[str] = []
    unknown: UnknownVideo | None = None
    for folder in folders:
        try:
            lines += why_not_paired(folder, reference_id, target_id)
        except UnknownVideo as error:
            unknown = unknown or error
    if unknown is not None and not lines:
        raise unknown
    return _at_most(lines)


def why_not_paired(pairs: Path, reference_id: str, target_id: str) -> list[str]:
    """Return at most 20 lines, each a verdict on two captions of the videos, or on several that are alike.

    Raises:
        CvrError: no such artifact, or a video is not in the corpus it was mined from.
    """
    artifact = open_artifact(pairs, "mine-pairs")
    is_pair = {"reference_id": [reference_id], "target_id": [target_id]}
    kept, dropped = (rows_with(artifact, name, is_pair) for name in (KEPT, DROPPED))
    lines = [pair_verdict(artifact, row) for row in kept]
    by_reason: dict[Any, list[dict[str, Any]]] = {}
    for row in dropped:
        by_reason.setdefault((row.get("drop_step"), row["drop_reason"]), []).append(row)
    for rows in by_reason.values():
        more = f"; so are {len(rows) - 1} more of their captions" if len(rows) > 1 else ""
        lines.append(f"{pair_verdict(artifact, rows[0])}{more}")
    return _at_most(lines or _why_not_mined(artifact, reference_id, target_id))


def pair_verdict(artifact: Artifact, row: dict[str, Any]) -> str:
    """Return one line: the filters that a row of pairs passed, or the step and values that dropped it."""
    if row.get("drop_reason"):
        return f"{_dropped_by(artifact, row)}{why_not_pair_lines(row)}"
    passed = ", ".join(step["step"] for step in artifact.manifest.get("funnel", [])[1:])
    return f"kept: {why_not_pair_lines(row)}" + (f"; passed {passed}" if passed else "")


def _at_most(lines: list[str]) -> list[str]:
    return lines if len(lines) <= MOST else [*lines[: MOST - 1], f"and {len(lines) - MOST + 1} more"]


def why_not_pair_lines(row: dict[str, Any]) -> str:
    """Return captions, changes and what is known of the similarities of a row of pairs, in one line."""
    notes = [f"{change['before']} -> {change['after']}" for change in row["changes"] or ()]
    for name in ("text_similarity", "visual_similarity"):
        if row.get(name) is not None:
            notes.append(f"{name.replace('_', ' ')} {row[name]:.3f}")
    return f"{row['reference_caption']!r} -> {row['target_caption']!r} ({', '.join(notes)})"


def _dropped_by(artifact: Artifact, row: Mapping[str, Any]) -> str:
    """Return the step and reason that dropped a pair, and the value against the threshold."""
    step, reason = row.get("drop_step"), row["drop_reason"]
    if step is None:  # written before dropped rows named their step
        return f"dropped by {reason}: "
    config = artifact.manifest["config"]
    name, options = _options_of_strategy(config["filters"][step - 1] if step else config["strategy"])
    told = ""
    if step:
        module = FILTERS.get(name)
        if isinstance(module, ExplainsDrops):
            told = f"{module.explain(FILTERS.config(name, options), row)}: "
    return f"dropped by {name} ({reason}): {told}"


def _options_of_strategy(component: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the name of a component in a manifest and its options."""
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in component.items()}
    options.pop("version", None)
    return str(options.pop("name")), options


class _Told(NamedTuple):
    """A verdict on two captions."""

    before: str
    after: str
    verdict: str


def _why_not_mined(artifact: Artifact, reference_id: str, target_id: str) -> list[str]:
    if reference_id == target_id:
        return ["not a pair: a video is not paired with itself"]
    captions = _captions_of_pair(artifact.input_path("videos"), (reference_id, target_id))
    name, options = _options_of_strategy(artifact.manifest["config"]["strategy"])
    strategy = STRATEGIES.get(name)
    if options.keys() - {field.name for field in fields(strategy.Config)}:
        remake = f"mine it again with `cvr mine-pairs --strategy {name}`; `cvr show {name}` has its options"
        raise CvrError(f"{artifact.path} was mined by an older {name}: {remake}.")
    config = STRATEGIES.config(name, options)
    if isinstance(strategy, ComparesNeighbours):
        most = getattr(config, strategy.NEIGHBOURS)
        return _not_near(artifact, name, most, (reference_id, target_id))
    told = []
    both = [(before, after) for before in captions[reference_id] for after in captions[target_id]]
    texts = {pair: strategy.group_texts(*pair) if isinstance(strategy, DropsGroups) else [] for pair in both}
    groups = _groups_of_lost_pair(artifact, sorted({text for found in texts.values() for text in found}))
    for pair in both:
        group = next((groups[text] for text in texts[pair] if text in groups), None)
        said = group or _explained(artifact, strategy, config, pair)
        told.append(
            _Told(*pair, said if group or said.startswith("not a pair") else f"never proposed by {name}: {said}")
        )
    return _gathered_pair_verdicts(told)


def _explained(artifact: Artifact, strategy: Any, config: Any, captions: tuple[str, str]) -> str:
    """Say why two captions are, or are not, a pair, by the frames that the pairs were mined by."""
    if "frames" in artifact.manifest["inputs"] and isinstance(strategy, ReadsFrames):
        return strategy.explain_by(config, *captions, FewFrames(artifact.input_path("frames")))
    return str(strategy.explain(config, *captions))


def _gathered_pair_verdicts(told: Sequence[_Told]) -> list[str]:
    """One line for verdicts that differ in numbers and quoted words alone, with the captions that are most alike."""
    kinds: dict[str, list[_Told]] = {}
    for each in told:
        kinds.setdefault(re.sub(r"\d+|'[^']*'", "#", each.verdict), []).append(each)
    lines = []
    for found in sorted(kinds.values(), key=lambda found: found[0].verdict.startswith("not a pair")):
        best = max(found, key=lambda each: _shared_words_of_pair(each.before, each.after))
        count = f" ({len(found) - 1} more of their captions likewise)" if len(found) > 1 else ""
        lines.append(f"{best.before!r} -> {best.after!r}: {best.verdict}{count}")
    return lines


def _shared_words_of_pair(before: str, after: str) -> float:
    """The share of words that two captions have in common."""
    one, other = set(words_of(before)), set(words_of(after))
    return len(one & other) / max(len(one | other), 1)


def _not_near(artifact: Artifact, name: str, most: int, ids: tuple[str, str]) -> list[str]:
    """Why a strategy that looks at neighbours did not look at these two: from the rows of those it looked at."""
    lines = []
    for video_id, other in (ids, ids[::-1]):
        found = [rows_with(artifact, part, {"reference_id": [video_id]}) for part in (KEPT, DROPPED)]
        rows = [row for some in found for row in some]
        whole = next((row for row in rows if row.get("drop_reason") and not row.get("target_id")), None)
        near = {row["target_id"]: _similarity_of_pair(row) for row in rows if row.get("target_id")}
        if whole is not None:
            lines.append(f"dropped by {name} ({whole['drop_reason']}): {video_id}")
            continue
        reach = ""
        if near:
            last = min(near, key=near.__getitem__)
            reach = f"; {len(near)} others are, from {max(near.values()):.3f} down to {near[last]:.3f} ({last})"
        lines.append(f"never compared by {name}: {other} is not among the {most} nearest of {video_id}{reach}")
    return lines


def _similarity_of_pair(row: Mapping[str, Any]) -> float:
    return next((row[name] for name in _SIMILARITIES if row.get(name) is not None), 0.0)


def _groups_of_lost_pair(artifact: Artifact, texts: Sequence[str]) -> dict[str, str]:
    """Return what became of each of the groups that held the pair and were dropped whole."""
    rows = rows_with(artifact, DROPPED, {"reference_caption": texts}, needed="n_captions") if texts else []
    return {
        row["reference_caption"]: f"dropped by {row['drop_reason']}: {row['reference_caption']!r} "
        f"({row['n_captions']} captions of {row['n_videos']} videos)"
        for row in rows
        if row["n_captions"] is not None
    }


def _captions_of_pair(videos: Path, ids: tuple[str, str]) -> dict[str, list[str]]:
    artifact = open_artifact(videos)
    rows = rows_with(artifact, KEPT, {"video_id": ids})
    found = {row["video_id"]: row["captions"] for row in rows}
    for video_id in ids:
        if video_id not in found:
            names = artifact.read(["video_id"]).column(0).to_pylist() if artifact.manifest["rows"] < 10_000 else []
            hint = did_you_mean(video_id, names)
            hint = hint if hint.startswith("Did you mean") else ""  # not a list of thousands
            raise UnknownVideo(f"{videos} has no video {video_id!r}. {hint}".rstrip())
    return found
