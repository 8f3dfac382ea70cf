"""What people said of triplets, as a table, and what becomes of the texts they judged.

    export_judgments(Path("reviews/quickstart.sqlite"), Path("judgments"))
    verdicts = triplet_verdicts_of_folder(Path("judgments"))
    texts, pairs = verdicts.apply(texts, pairs, videos)

A verdict is of all texts of one style of one pair. It keeps one text where more people kept than rejected, in the
wording that most of them kept; a tie drops the pair as `review_disputed`. Skips do not vote.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.parts import artifact_bucket_table
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import KeyedStep, Step
from cvr_data.tables import JUDGMENTS, PAIRS, pair_id
from cvr_data.triplets.claims import IS_TEST
from cvr_data.triplets.join import FURTHER, joined_texts_and_pairs, packed_pairs_to_join, triplets_join_key

KEPT = ("accept", "edit")
BACKEND = "review"
"""Backend of a text that a person reworded; its model is the backend that wrote the first wording."""
BUCKET = 100_000
"""Texts and pairs that are looked at together, row by row."""

Key = tuple[str, str, str]
"""reference_id, target_id, style."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What becomes of the texts of a pair: `reason` drops them all, else `modification` replaces `chosen`."""

    reason: str | None = None
    chosen: str | None = None
    modification: str | None = None
    also_correct: tuple[str, ...] = ()


@dataclass
class Verdicts:
    """Verdicts by pair and style; remembers which of them met a text."""

    verdicts: dict[Key, Verdict]
    folder: Path = Path()
    """Where the judgments lie."""
    judged_only: bool = False
    """Drop texts that nobody judged, in splits where others were judged."""
    splits: frozenset[str | None] = frozenset()
    met: set[Key] = field(default_factory=set)

    def apply(self, texts: pa.Table, pairs: pa.Table, videos: pa.Table | None) -> tuple[pa.Table, pa.Table]:
        """Return the texts as judged, those that go with their reason, and the pairs with further targets added.

        Raises:
            CvrError: a further target is no known video.
        """
        pair_of = {row["pair_id"]: row for row in pairs.to_pylist()}
        known = self._videos_found(videos)
        rows, further_pairs = [], {}
        for row in texts.to_pylist():
            pair = pair_of.get(row["pair_id"])
            if pair is None or row["status"] != "ok":
                rows.append(row)
                continue
            judged = self._judged(row, pair)
            rows.append(judged)
            verdict = self.verdicts.get((pair["reference_id"], pair["target_id"], row["style"]))
            if verdict is not None and judged["status"] == "ok":
                for further in _further_pairs(pair, [known[name] for name in verdict.also_correct]):
                    further_pairs[further["pair_id"]] = further
                    rows.append({**judged, "pair_id": further["pair_id"]})
        new = [row for name, row in further_pairs.items() if name not in pair_of]
        return _table(rows, texts.schema), pa.concat_tables([pairs, _table(new, pairs.schema)])

    def further_videos(self) -> list[str]:
        """Return the videos that were found to be correct too."""
        return sorted({name for verdict in self.verdicts.values() for name in verdict.also_correct})

    def _videos_found(self, videos: pa.Table | None) -> dict[str, dict[str, Any]]:
        """Return the rows of the videos that were found to be correct too, by id."""
        wanted = self.further_videos()
        if not wanted:
            return {}
        found: dict[str, dict[str, Any]] = {}
        if videos is not None:
            rows = videos.filter(pc.is_in(videos["video_id"], pa.array(wanted)))
            found = {row["video_id"]: row for row in rows.to_pylist()}
        if missing := [name for name in wanted if name not in found]:
            raise CvrError(f"{first_few(missing)} were judged correct too but are in no videos folder; pass --videos.")
        return found

    def _judged(self, row: dict[str, Any], pair: dict[str, Any]) -> dict[str, Any]:
        key = (pair["reference_id"], pair["target_id"], row["style"])
        verdict = self.verdicts.get(key)
        if verdict is None:
            is_left_out = self.judged_only and pair["split"] in self.splits
            return _dropped(row, "not_reviewed") if is_left_out else row
        self.met.add(key)
        if verdict.reason is not None:
            return _dropped(row, verdict.reason)
        if row["modification"] not in (verdict.chosen, verdict.modification):
            return _dropped(row, "review_not_chosen")
        if row["modification"] == verdict.modification:
            return row
        return {**row, "modification": verdict.modification, "backend": BACKEND, "model": row["backend"]}


def join_judged_triplets(
    run: StageRun, texts_and_pairs: Sequence[Flow], verdicts: Verdicts, videos: Sequence[Path]
) -> Flow:
    """Return the texts as judged, and the pairs with further targets added.

    Raises:
        CvrError: a further target is no known video, or not one verdict is of these texts.
    """
    wanted = tuple(verdicts.further_videos())
    step = Step(name="videos", run=_of_ids, config=wanted, makes_rows=True, is_counted=False)
    sides = [run.side(run.read(folder).then(step), artifact_bucket_table) for folder in (videos if wanted else ())]
    together = KeyedStep(
        name="judged", run=_judge, key=triplets_join_key, config=verdicts, sides=tuple(sides), bucket_values=BUCKET,
        makes_rows=True, is_counted=False,
    )  # fmt: skip
    flow = run.meet(texts_and_pairs, together)
    met = run.side(replace(flow, steps=(replace(together, name="met", run=_met),)), artifact_bucket_table)
    if verdicts.verdicts and not artifact_bucket_table(*met.arguments).num_rows:
        run.writer.discard()
        raise CvrError(f"{verdicts.folder} judges none of these texts; it is of another dataset.")
    return flow


def _judge(verdicts: Verdicts, bucket: pa.Table, *videos: pa.Table) -> pa.Table:
    """Return texts and pairs as they are after the verdicts."""
    known = pa.concat_tables(videos, promote_options="permissive") if videos else None
    made = []
    for is_test in (False, True):
        texts, pairs = joined_texts_and_pairs(bucket.filter(pc.equal(bucket.column(IS_TEST), is_test)))
        texts, pairs = verdicts.apply(texts, pairs.drop_columns([IS_TEST]), known)
        made += [texts, packed_pairs_to_join(pairs, pa.array([is_test] * pairs.num_rows, pa.bool_()))]
    return pa.concat_tables(made, promote_options="permissive")


def _met(verdicts: Verdicts, bucket: pa.Table, *videos: pa.Table) -> pa.Table:
    """Return a row if a verdict is of one of these texts."""
    verdicts.met.clear()
    _judge(verdicts, bucket, *videos)
    return pa.table({"met": pa.array([True] * bool(verdicts.met), pa.bool_())})


def _of_ids(ids: tuple[str, ...], videos: pa.Table) -> pa.Table:
    return videos.filter(pc.is_in(videos.column("video_id"), pa.array(ids, pa.string())))


def triplet_verdicts_of_folder(folder: Path, *, judged_only: bool = False) -> Verdicts:
    """Return the verdicts of exported judgments; gold checks are left out.

    Raises:
        CvrError: the folder holds no judgments.
    """
    table = check_columns(open_artifact(folder).read(), JUDGMENTS, str(folder))
    rows = [row for row in table.to_pylist() if row["answer"] is None]
    splits = frozenset(row["split"] for row in rows)
    return Verdicts(triplet_verdict_of_pairs(rows), folder=folder, judged_only=judged_only, splits=splits)


def triplet_verdict_of_pairs(rows: Iterable[dict[str, Any]]) -> dict[Key, Verdict]:
    """Return the verdict of every pair and style that somebody judged and did not skip."""
    groups: dict[Key, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["reference_id"], row["target_id"], row["style"]), []).append(row)
    return {key: verdict for key, group in groups.items() if (verdict := triplet_verdict(group)) is not None}


def triplet_verdict(rows: Sequence[dict[str, Any]]) -> Verdict | None:
    """Return what the judgments of one pair come to; None where all skipped."""
    kept = [row for row in rows if row["decision"] in KEPT]
    rejected = [row for row in rows if row["decision"] == "reject"]
    if not kept and not rejected:
        return None
    if len(kept) <= len(rejected):
        if len(kept) == len(rejected):
            return Verdict(reason="review_disputed")
        counts = Counter(row["reason"] for row in rejected)
        return Verdict(reason=f"review_{min(counts, key=lambda reason: (-counts[reason], reason))}")
    wordings = Counter((row["modification"], row["chosen"]) for row in kept)
    # Among equally frequent wordings one that a source wrote stands before one that a person reworded.
    modification, chosen = min(wordings, key=lambda pair: (-wordings[pair], pair[0] != pair[1], pair))
    marked = Counter(name for row in kept for name in row["also_correct"] or ())
    further = tuple(sorted(name for name, votes in marked.items() if 2 * votes >= len(kept)))
    return Verdict(chosen=chosen, modification=modification, also_correct=further)


def _dropped(row: dict[str, Any], reason: str) -> dict[str, Any]:
    return {**row, "status": "rejected", "reasons": [reason]}


def _further_pairs(pair: dict[str, Any], targets: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for video in targets:
        caption = video["captions"][0] if video["captions"] else ""
        scores = {column: None for column in pair if column not in PAIRS.names}
        name = pair_id(pair["reference_id"], video["video_id"], pair["reference_caption"], caption)
        found.append(
            {**pair, **scores, "pair_id": name, "target_id": video["video_id"], "target_caption": caption,
             "strategy": FURTHER, "changes": [], "text_similarity": None, "visual_similarity": None,
             "target_group_id": video["group_id"]}
        )  # fmt: skip
    return found


def _table(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema)
