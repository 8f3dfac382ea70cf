"""Why `build-triplets` or `drop-missing` dropped a triplet, in words, with the rows of the dataset that decided."""

from collections import Counter
from typing import Any

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.found_rows import DROPPED, KEPT, Row, rows_with
from cvr_data.tables import SPLITS

_ENDS = ("reference", "target")
_WORDS = {
    "empty": "the text says nothing",
    "reference_is_target": "both are one video",
    "not_reviewed": "nobody judged it, and others of its split were judged (--judged-only)",
}


def triplet_drop_explained(artifact: Artifact, row: Row) -> str:
    """Return one line that says why the row is no triplet of the dataset; empty where its text says it."""
    reason = str(row["drop_reason"])
    if reason == "straddles_splits":
        return _straddles(artifact, row)
    if reason == "duplicate":
        return _repeats(artifact, row)
    if reason in ("over_target_cap", "over_text_cap"):
        return _over_cap(artifact, row, "target_id" if reason == "over_target_cap" else "modification")
    if reason == "not_of_test_source":
        return f"{_shown_pair(row)} is of split test, and the test triplets come from --test-from alone"
    if reason == "shares_test_video":
        return _of_test(artifact, row)
    if reason.endswith("_gone"):
        end = reason.removesuffix("_gone")
        return f"the {end} {row[f'{end}_id']} cannot be had any more, as the check of the media found"
    if reason == "pair_not_found":
        return f"no folder of pairs has {row['pair_id'] or 'the pair of its text'}"
    if reason.startswith("review_"):
        return _judged(artifact, row)
    return _WORDS.get(reason, "")


def _shown_pair(row: Row) -> str:
    return f"{row['reference_id']} -> {row['target_id']}"


def _straddles(artifact: Artifact, row: Row) -> str:
    """Name the triplets of a more protected split that use one of the videos, or a near-duplicate of it."""
    splits = SPLITS[SPLITS.index(row["split"]) + 1 :]
    for end in _ENDS:
        for other in _that_use(artifact, row, end, {"split": splits}):
            where = f"of split {other['split']} in triplet {other['triplet_id']}"
            return f"{_used(row, end)} is {where}, here of {row['split']}"
    return f"a video of it is of a more protected split than {row['split']} in another triplet"


def _of_test(artifact: Artifact, row: Row) -> str:
    for end in _ENDS:
        for other in _that_use(artifact, row, end, {"split": ["test"]}):
            if not other.get("drop_reason"):
                return f"{_used(row, end)} is in test triplet {other['triplet_id']}"
    return (
        f"{_shown_pair(row)}: one is a near-duplicate of a video of a test triplet in another corpus, or a clip of its "
        "recording (which one is not stored)"
    )


def _that_use(artifact: Artifact, row: Row, end: str, also: dict[str, Any]) -> list[Row]:
    """Return the triplets that have the same video at either end, or one of its group."""
    kind = "group_id" if row[f"{end}_group_id"] else "id"
    value = row[f"{end}_{kind}"]
    return [
        found
        for name in (KEPT, DROPPED)
        for other in _ENDS
        for found in rows_with(artifact, name, {f"{other}_{kind}": [value], **also})
    ]


def _used(row: Row, end: str) -> str:
    group = row[f"{end}_group_id"]
    return f"the {end} {row[f'{end}_id']}" + (f" (or a near-duplicate, group {group})" if group else "")


def _repeats(artifact: Artifact, row: Row) -> str:
    for other in rows_with(artifact, KEPT, {"triplet_id": [row["triplet_id"]]}):
        return f"the text {other['modification_id']} by {other['backend']} says the same of the same two videos"
    return "another text says the same of the same two videos"


def _over_cap(artifact: Artifact, row: Row, column: str) -> str:
    """Return how many better ones have the same target or text, and how alike theirs look."""
    alike = {name: [row[name]] for name in (column, "split", "style", "backend") if row[name] is not None}
    others = rows_with(artifact, KEPT, alike)
    most = artifact.manifest["config"]["max_per_target" if column == "target_id" else "max_per_text"]
    known = [other["visual_similarity"] for other in others if other["visual_similarity"] is not None]
    similarity = row["visual_similarity"]
    looks = f"; they look {min(known):.3f} alike or more, these {similarity:.3f}" if known and similarity else ""
    what = "the target" if column == "target_id" else "the text"
    return f"{len(others)} triplets of {what} {row[column]!r} come first, at most {most} may stay{looks}"


def _judged(artifact: Artifact, row: Row) -> str:
    """Return what people said of the pair's texts."""
    said: Counter[str] = Counter()
    try:
        judgments = open_artifact(artifact.input_path("judgments"))
    except CvrError:
        return "people judged its texts; their judgments are not here"
    names = {name: [row[name]] for name in ("reference_id", "target_id", "style")}
    for judged in rows_with(judgments, KEPT, names):
        said[f"{judged['decision']} {judged['reason'] or ''}".strip()] += 1
    return f"people said {first_few([f'{count} x {what}' for what, count in said.most_common()])}"
