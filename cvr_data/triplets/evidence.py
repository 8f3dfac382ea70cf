"""What was found out about a dataset after it was built, from the folders that say so: for its card and `cvr stats`.

    found = triplet_evidence([Path("positives"), Path("distractors"), Path("results/sum-mine")], triplets)
    triplet_evidence_rows(found)      # [("right answers", "118 beside the 2,104 that are listed ..."), ...]

Folders are those of `cvr find-positives`, `cvr mine-distractors`, `cvr audit` and `cvr bench --robustness` (the result,
or the folder in it). Each has to be about queries of these triplets.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.annotation_files import read_json
from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.reading import check_json_value_types, reading
from cvr_data.core.whole_files import read_parquet
from cvr_data.pairs.distractor_types import TYPES
from cvr_data.triplets.shortcuts import COMPOSITION, Shortcuts, triplet_shortcuts

ROBUSTNESS = "robustness"
Evidence = dict[str, dict[str, Any]]
"""positives, distractors, robustness, shortcuts -> what is known; what nobody looked at is not there."""


def triplet_evidence(folders: Iterable[Path], triplets: pa.Table) -> Evidence:
    """Return what the folders say of the triplets.

    Raises:
        CvrError: a folder is none of these, or about other queries.
    """
    ours = set(triplets.column("query_id").to_pylist())
    found: Evidence = {}
    for given in folders:
        folder = given / ROBUSTNESS if (given / ROBUSTNESS / "manifest.json").exists() else given
        artifact = open_artifact(folder)
        if artifact.stage == "find-positives":
            found["positives"] = _positives(artifact, ours)
        elif artifact.stage == "mine-distractors":
            found["distractors"] = _distractors(artifact, ours)
        elif artifact.stage == ROBUSTNESS:
            found["robustness"] = _robustness(artifact, ours)
        elif (folder / COMPOSITION).exists() or (folder / "audit" / COMPOSITION).exists():
            found["shortcuts"] = asdict(triplet_shortcuts(folder, triplets))
        else:
            raise CvrError(
                f"--evidence {given} is of {artifact.stage!r}; pass folders of find-positives, mine-distractors or "
                "audit, or results that were benched with --robustness."
            )
    return found


def _check_queries(folder: Path, queries: Iterable[str], ours: set[str]) -> int:
    named = {*queries}
    if others := named - ours:
        raise CvrError(f"--evidence {folder}: {len(others)} of its {len(named)} queries are not among the triplets.")
    return len(named)


def _positives(artifact: Artifact, ours: set[str]) -> dict[str, Any]:
    with reading(path := artifact.path / "summary.json", "a summary of find-positives"):
        check_json_value_types(summary := read_json(path, dict), {"listed": int, "found": dict})
    queries = _check_queries(artifact.path, artifact.read(["query_id"]).column("query_id").to_pylist(), ours)
    return {"queries": queries, **{name: summary.get(name) for name in ("listed", "found", "unjudged", "unfound")}}


def _distractors(artifact: Artifact, ours: set[str]) -> dict[str, Any]:
    rows = artifact.read(["query_id", "distractor_type"])
    queries = rows.column("query_id").to_pylist()
    kinds = rows.column("distractor_type").to_pylist()
    missing: Counter[str] = Counter()
    if (path := artifact.path / "missing-types.parquet").exists():
        columns = read_parquet(path, ["distractor_type", "reason"]).to_pylist()
        missing = Counter(f"{row['distractor_type']} {row['reason']}" for row in columns)
    types = {
        name: {
            "rows": kinds.count(name),
            "queries": len({query for query, kind in zip(queries, kinds, strict=True) if kind == name}),
            "missing": {
                key.split(" ")[1]: count for key, count in sorted(missing.items()) if key.split(" ")[0] == name
            },
        }
        for name in TYPES
    }
    return {"queries": _check_queries(artifact.path, queries, ours), "rows": len(kinds), "types": types}


def _robustness(artifact: Artifact, ours: set[str]) -> dict[str, Any]:
    with reading(path := artifact.path / "robustness.json", "a record of robustness"):
        check_json_value_types(record := read_json(path, dict), {"queries": int, "kinds": dict, "metrics": dict})
    _check_queries(
        artifact.path, read_parquet(artifact.path / "robustness.parquet", ["query_id"]).column(0).to_pylist(), ours
    )
    texts = {kind: told["texts"] for kind, told in record["kinds"].items()}
    return {"model": artifact.path.resolve().parent.name, "queries": record["queries"], "texts": texts,
            "metrics": record["metrics"], "ignores_text": record.get("ignores_text")}  # fmt: skip


def triplet_evidence_rows(
    found: Mapping[str, Mapping[str, Any]], *, without: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Return it as rows of a title and a text, without some kinds; what nobody looked at is unknown."""
    tellers = {"shortcuts": ("one input is enough", _shortcuts_text), "positives": ("right answers", _positives_text),
               "distractors": ("typed distractors", _distractors_text),
               "robustness": ("robustness set", _robustness_text)}  # fmt: skip
    return [(title, tell(found[name]) if name in found else "unknown")
            for name, (title, tell) in tellers.items() if name not in without]  # fmt: skip


def _shortcuts_text(told: Mapping[str, Any]) -> str:
    return (
        f"{told['text_only']:.1f} % of {told['queries']} queries by the text, {told['visual_only']:.1f} % by the "
        f"reference, {Shortcuts(**told).both_text} only by both together (a target among the {told['k']} best, "
        f"{told['model']})"
    )


def _positives_text(told: Mapping[str, Any]) -> str:
    by = ", ".join(f"{count} by {who}" for who, count in told["found"].items()) or "none"
    estimate = told["unfound"]
    left = "how many are not found yet is unknown"
    if estimate is not None:
        left = f"about {estimate['value']:.0f} not found yet ({estimate['low']:.0f} to {estimate['high']:.0f})"
    return f"{told['listed']} listed for {told['queries']} queries; found beside them: {by}; {left}"


def _distractors_text(told: Mapping[str, Any]) -> str:
    listed = []
    for name, kind in told["types"].items():
        why = ", ".join(f"{count} {reason}" for reason, count in kind["missing"].items())
        count = f"{kind['rows']} for {kind['queries']} queries" if kind["rows"] else "none"
        listed.append(f"{name} {count}" + (f" (without: {why})" if why else ""))
    rest = told["rows"] - sum(kind["rows"] for kind in told["types"].values())
    return f"{told['rows']} videos for {told['queries']} queries: {'; '.join(listed)}; {rest} of no proven type"


def _robustness_text(told: Mapping[str, Any]) -> str:
    texts = ", ".join(f"{kind} {count}" for kind, count in told["texts"].items())
    first = min(told["metrics"], key=lambda name: int(name.split("@")[1]), default=None)
    shown = ""
    if first is not None:
        metric = told["metrics"][first]
        shown = (
            f"; {told['model']}: {first} own {metric['own']:.1f}, mean {metric['mean']:.1f}, "
            f"worst {metric['worst']:.1f}, spread {metric['spread']:.1f}"
        )
    ignores = (
        "" if told["ignores_text"] is None else f"; {told['ignores_text']:.0f} % of texts of something else ignored"
    )
    return f"other texts of {told['queries']} queries ({texts}){shown}{ignores}"
