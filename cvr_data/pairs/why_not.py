"""Why two videos are or are not a pair: read from the pairs artifact where it says, else asked of the strategy.

A dropped row names its step, and holds the values the filter saw: the filter's `explain` only puts them into words. A
pair that no file has was in a group that was dropped whole, or was never proposed: the strategy's `explain` says why.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.core.reading import reading
from cvr_data.filters import FILTERS, ExplainsDrops
from cvr_data.pairs.strategies import STRATEGIES, DropsGroups


def verdicts(pairs: Path, reference_id: str, target_id: str) -> list[str]:
    """Return one line per verdict.

    Raises:
        CvrError: no such artifact, or a video is not in the corpus it was mined from.
    """
    artifact = open_artifact(pairs, "mine-pairs")
    is_pair = {"reference_id": [reference_id], "target_id": [target_id]}
    kept, dropped = (_read(artifact, name, "reference_id", is_pair) for name in ("part", "dropped"))
    passed = ", ".join(step["step"] for step in artifact.manifest.get("funnel", [])[1:])
    lines = [f"kept: {shown_pair(row)}" + (f"; passed {passed}" if passed else "") for row in kept]
    lines += [f"{_dropped_by(artifact, row)}{shown_pair(row)}" for row in dropped]
    return lines or _explained(artifact, reference_id, target_id)


def shown_pair(row: dict[str, Any]) -> str:
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
    name, options = _options(config["filters"][step - 1] if step else config["strategy"])
    told = ""
    if step:
        module = FILTERS.get(name)
        if isinstance(module, ExplainsDrops):
            told = f"{module.explain(FILTERS.config(name, options), row)}: "
    return f"dropped by {name} ({reason}): {told}"


def _options(component: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the name of a component in a manifest and its options."""
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in component.items()}
    options.pop("version", None)
    return str(options.pop("name")), options


def _explained(artifact: Artifact, reference_id: str, target_id: str) -> list[str]:
    if reference_id == target_id:
        return ["not a pair: a video is not paired with itself"]
    captions = _captions(artifact.input_path("videos"), (reference_id, target_id))
    name, options = _options(artifact.manifest["config"]["strategy"])
    strategy, config = STRATEGIES.get(name), STRATEGIES.config(name, options)
    lines = []
    for before in captions[reference_id]:
        for after in captions[target_id]:
            group = _group(artifact, strategy.group_texts(before, after)) if isinstance(strategy, DropsGroups) else None
            told = group or strategy.explain(config, before, after)
            told = told if group or told.startswith("not a pair") else f"never proposed by {name}: {told}"
            lines.append(f"{before!r} -> {after!r}: {told}")
    return lines


def _group(artifact: Artifact, texts: list[str]) -> str | None:
    """Return what became of the group that held the pair, if one was dropped whole."""
    groups = _read(artifact, "dropped", "n_captions", {"reference_caption": texts})
    for row in groups:
        if row["n_captions"] is not None:
            size = f"{row['n_captions']} captions of {row['n_videos']} videos"
            return f"dropped by {row['drop_reason']}: {row['reference_caption']!r} ({size})"
    return None


def _captions(videos: Path, ids: tuple[str, str]) -> dict[str, list[str]]:
    table = open_artifact(videos).read(["video_id", "captions"])
    rows = table.filter(pc.is_in(table.column("video_id"), pa.array(ids, pa.string()))).to_pylist()
    found = {row["video_id"]: row["captions"] for row in rows}
    for video_id in ids:
        if video_id not in found:
            hint = did_you_mean(video_id, table.column("video_id").to_pylist()) if table.num_rows < 10_000 else ""
            hint = hint if hint.startswith("Did you mean") else ""  # not a list of thousands
            raise CvrError(f"{videos} has no video {video_id!r}. {hint}".rstrip())
    return found


def _read(artifact: Artifact, name: str, needed: str, wanted: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """Return the rows of the parts of that name that have one of the wanted values in each column named."""
    rows = []
    for path in sorted(artifact.path.glob(f"{name}-*.parquet")):
        with reading(path, "Parquet"), pq.ParquetFile(path) as part:
            for number in range(part.num_row_groups if needed in part.schema_arrow.names else 0):
                group = part.read_row_group(number)
                for column, values in wanted.items():
                    group = group.filter(pc.is_in(group.column(column), value_set=pa.array(values)))
                rows += group.to_pylist()
    return rows
