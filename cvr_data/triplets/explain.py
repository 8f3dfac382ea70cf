"""Where a triplet comes from: its text and prompt, its pair and the filters it passed; only files are read."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.lineage import input_names
from cvr_data.pairs.why_not import shown_pair
from cvr_data.tables import MODIFICATIONS, PAIRS, TRIPLETS


def triplet_story(dataset: Path, triplet_id: str) -> list[str]:
    """Return the lines that tell how a triplet, kept or dropped, came to be; its id may be cut while it is unique.

    Raises:
        CvrError: no such folder or triplet, or several ids begin so.
    """
    artifact = open_artifact(dataset)
    row = _triplet(artifact, triplet_id)
    verdict = f"dropped by {row['drop_reason']}" if row.get("drop_reason") else "kept"
    lines = [
        f"triplet {row['triplet_id']}: {verdict}, split {row['split']}, query {row['query_id']}",
        f"  reference     {row['reference_id']}  {row['reference_caption'] or ''}".rstrip(),
        f"  modification  {row['modification']}",
        f"  target        {row['target_id']}  {row['target_caption'] or ''}".rstrip(),
    ]
    for change in row["changes"] or ():
        lines.append(f"  change        {change['before']} -> {change['after']} ({change['kind']}, {change['slot']})")
    return [*lines, *_text_lines(artifact, row), *_pair_lines(artifact, row)]


def _triplet(artifact: Artifact, triplet_id: str) -> dict[str, Any]:
    for table in (artifact.read(), artifact.dropped()):
        if not table.num_rows:
            continue
        if "triplet_id" not in table.column_names:
            raise CvrError(f"{artifact.path} was made by {artifact.stage!r} and holds no triplets.")
        table = check_columns(table, TRIPLETS, str(artifact.path))
        rows = table.filter(pc.starts_with(table.column("triplet_id"), triplet_id)).to_pylist()
        ids = sorted({row["triplet_id"] for row in rows})
        if len(ids) > 1 and triplet_id not in ids:
            raise CvrError(f"{len(ids)} triplets of {artifact.path} begin with {triplet_id!r}: {first_few(ids)}.")
        if rows:
            return next((row for row in rows if row["triplet_id"] == triplet_id), rows[0])
    raise CvrError(f"{artifact.path} has no triplet {triplet_id!r}.")


def _text_lines(artifact: Artifact, triplet: dict[str, Any]) -> list[str]:
    found = _row_of(artifact, "modifications", MODIFICATIONS, triplet["modification_id"])
    if found is None:
        return [f"  text          {triplet['modification_id']} by {triplet['backend']}; its table is not here"]
    source, row = found
    state = ", ".join([row["status"], *row["reasons"]])
    lines = [f"  text          {row['style']} by {row['backend']} ({row['model']}), seed {row['seed']}: {state}"]
    lines += [f"  prompt        {line}" for line in (row["prompt"] or "").splitlines() if line.strip()]
    lines += [f"  raw           {row['raw']!r}"] if row["raw"] else []
    return [*lines, f"  from          {source.path}: {source.manifest['command']}"]


def _pair_lines(artifact: Artifact, triplet: dict[str, Any]) -> list[str]:
    found = _row_of(artifact, "pairs", PAIRS, triplet["pair_id"])
    text = _row_of(artifact, "modifications", MODIFICATIONS, triplet["modification_id"])
    if found is None and text is not None and text[1]["pair_id"] != triplet["pair_id"]:
        return ["  pair          none was mined: the target has the caption of another target of this query"]
    if found is None:
        return [f"  pair          {triplet['pair_id']}; its table is not here"]
    source, row = found
    passed = ", ".join(step["step"] for step in source.manifest.get("funnel", [])[1:]) or "none recorded"
    return [
        f"  pair          {row['pair_id']} by {row['strategy']}: {shown_pair(row)}",
        f"  passed        {passed}",
        f"  from          {source.path}: {source.manifest['command']}",
    ]


def _row_of(
    artifact: Artifact, kind: str, schema: pa.Schema, value: str | None
) -> tuple[Artifact, dict[str, Any]] | None:
    """Return the row of an id in the inputs of that kind and where it lies; None if they are not on this machine."""
    for name in input_names(artifact, kind) if value is not None else ():
        try:
            source = open_artifact(artifact.input_path(name))
        except CvrError:  # moved or made again since: what the triplet itself says is still true
            continue
        table = check_columns(source.read(), schema, str(source.path))
        if rows := table.filter(pc.equal(table.column(0), value)).to_pylist():
            return source, rows[0]
    return None
