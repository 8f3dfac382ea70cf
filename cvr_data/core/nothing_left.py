"""Says of a stage that gave no row at which step all were lost, and what to try."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cvr_data.core.places import path_or_address_from
from cvr_data.core.plain_output import shortened_output_line
from cvr_data.core.whole_files import read_parquet

LONGEST_DETAIL = 300
"""Characters of what a row says of itself."""
HINTS = {
    "import": "name the columns with -o (`cvr show NAME` lists them), or mend the lines that dropped-*.parquet gives",
    "split": "-o need_features=false keeps videos without features; a split that the corpus gives is never changed",
    "filter-videos": "loosen that filter (`cvr show NAME`, then -f +NAME:low=...), or leave it out: -f -NAME",
    "mine-pairs": "loosen that filter (`cvr show NAME`, then --filter NAME:key=value), leave it out, or take another "
    "--strategy; `cvr why-not A B` tells of two videos",
    "generate-modifications": "another --style or --llm; `cvr sample` shows the answers that could not be used",
    "build": "see the column `reasons` of the texts; -o default_split= places pairs whose videos have no split",
}
"""How a stage's name begins -> what can be tried."""
PROPOSES = (
    "more videos, since captions have to be alike but for one thing, or another --strategy (`cvr list strategies`); "
    "`cvr why-not A B` tells of two videos"
)


def empty_artifact_lines(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Return one line where an artifact has no rows to go on with: where all were lost, why, and what to try."""
    if manifest["status"].get("ok") if "status" in manifest else manifest["rows"]:
        return []
    at = next((step for step in manifest.get("funnel", ()) if step["out"] == 0), None)
    stage = str(at.get("stage", manifest["stage"]) if at else manifest["stage"])
    hint = next((text for begin, text in HINTS.items() if stage.startswith(begin)), "see the step before")
    if manifest["rows"]:
        told = f"no text can be used ({_listed_reasons(manifest['reasons'])})"
    elif at is not None and at["dropped"]:
        count = sum(at["dropped"].values())
        why = f"{_listed_reasons(at['dropped'])}{first_detail(folder)}"
        told = f"{at['step']!r} dropped all {count} rows that it got ({why})"
    elif at is not None and at["in"] is None:
        told, hint = f"{at['step']!r} found none", PROPOSES
    else:
        told, hint = f"none came in from {_inputs_of_artifact(folder, manifest)}", "see the step before"
    return [f"  nothing is left: {told}; try: {hint}"]


def _listed_reasons(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in reasons.items())


def first_detail(folder: Path, reason: str | None = None) -> str:
    """Return what the first dropped row, or the first of that reason, says of itself, after a colon; "" if nothing."""
    for path in sorted(folder.glob("dropped-*.parquet")):
        table = read_parquet(path)
        if reason is not None:
            import pyarrow.compute as pc  # not for those who only look something up

            table = table.filter(pc.field("drop_reason") == reason)
        for value in table.column("detail").slice(0, 100).to_pylist() if "detail" in table.column_names else ():
            if value:
                return f": {shortened_output_line(str(value), LONGEST_DETAIL)}"
    return ""


def _inputs_of_artifact(folder: Path, manifest: Mapping[str, Any]) -> str:
    """Return the inputs of an artifact, from where the command runs."""
    places = {name: path_or_address_from(folder, about["path"]) for name, about in manifest["inputs"].items()}
    return ", ".join(f"{name} {place}" for name, place in places.items()) or "nothing"
