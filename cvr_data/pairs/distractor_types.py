"""What kind of distractor a video is for a query, why it is wrong, and who says so.

    way_back         its caption is what the reference's is: the edit was not made, or taken back
    half_change      of two changes one was made
    same_edit        what comes in is there, in another scene
    other_edit       the scene is the reference's, and another change was made
    same_look        it looks as much like the reference as the target does, and is not what is asked for
    same_recording   a clip of the reference's recording that is not what is asked for

A video is wrong where its caption and the target's have words that exclude each other ("red, not blue": verified_by
`caption`). Without such a proof it has no type.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.language.entailment import (
    Said,
    caption_has_compatible_word,
    caption_words_entail,
    caption_words_once,
    contradicting_words,
    word_entailed_by_caption,
)
from cvr_data.language.frames import parsed_sentence_frames

TYPES = ("way_back", "half_change", "same_edit", "other_edit", "same_look", "same_recording")


class Proof(NamedTuple):
    """What a distractor is, and why it is wrong."""

    distractor_type: str
    why_wrong: str


def with_distractor_types(found: pa.Table, recordings: Mapping[str, str], of_videos: Mapping[str, str]) -> pa.Table:
    """Return candidates with `distractor_type`, `why_wrong` and `verified_by`, null where nothing proves them wrong.

    Args:
        found: rows with captions of candidate, reference and target, the query's changes, and `likeness` and
            `target_likeness` to the reference.
        recordings: reference -> its recording.
        of_videos: candidate -> its recording.
    """
    captions = ("caption", "reference_caption", "target_caption")
    columns = {name: found.column(name).to_pylist() for name in (*captions, "video_id", "reference_id")}
    frames = parsed_sentence_frames(text for name in captions for text in columns[name] if text)
    said = {text: caption_words_once(frame) for text, frame in frames.items()}
    changed = pc.fill_null(pc.list_value_length(found.column("changes")), 0).to_pylist()
    looks = pc.greater_equal(found.column("likeness"), found.column("target_likeness")).to_pylist()
    proofs, known = [], {}
    for row in range(found.num_rows):
        texts = tuple(columns[name][row] or "" for name in captions)
        recording = of_videos.get(columns["video_id"][row])
        is_of_recording = recording is not None and recording == recordings.get(columns["reference_id"][row])
        key = (*texts, bool(looks[row]), is_of_recording, changed[row] > 1)
        if key not in known:
            ours = [said.get(text, ()) for text in texts]
            known[key] = distractor_proof(*ours, looks_alike=key[3], is_of_recording=key[4], has_several=key[5])
        proofs.append(known[key])
    made = {
        "distractor_type": [proof and proof.distractor_type for proof in proofs],
        "why_wrong": [proof and proof.why_wrong for proof in proofs],
        "verified_by": ["caption" if proof else None for proof in proofs],
    }
    for name, values in made.items():
        found = found.append_column(name, pa.array(values, pa.string()))
    return found


def distractor_proof(
    candidate: Sequence[Said], reference: Sequence[Said], target: Sequence[Said], *, looks_alike: bool = False,
    is_of_recording: bool = False, has_several: bool = False,
) -> Proof | None:  # fmt: skip
    """Return what kind of distractor a caption makes of its video; None where it does not prove it wrong.

    Args:
        candidate: what its caption says.
        reference: what the reference's says.
        target: what the target's says.
        looks_alike: whether it looks as much like the reference as the target does.
        is_of_recording: whether it is a clip of the reference's recording.
        has_several: whether the query makes more than one change.
    """
    words = contradicting_words(candidate, target)
    if words is None:
        return None
    why = f"{words[0]}, not {words[1]}"
    if is_of_recording:
        return Proof("same_recording", why)
    if caption_words_entail(candidate, reference):
        return Proof("way_back", why)
    candidate, reference, target = map(_of_anything, (candidate, reference, target))  # another thing is of that colour
    new = [wanted for wanted in target if not caption_has_compatible_word(reference, wanted)]
    kept = [wanted for wanted in target if caption_has_compatible_word(reference, wanted)]
    told_new = [wanted for wanted in new if word_entailed_by_caption(candidate, wanted)]
    is_scene_kept = bool(kept) and all(word_entailed_by_caption(candidate, wanted) for wanted in kept)
    if new and len(told_new) == len(new) and not is_scene_kept:
        return Proof("same_edit", why)
    if told_new and is_scene_kept and has_several:
        return Proof("half_change", why)
    if is_scene_kept and not told_new:
        return Proof("other_edit", why)
    return Proof("same_look", why) if looks_alike else None


def _of_anything(caption: Sequence[Said]) -> list[Said]:
    return [said._replace(of="") for said in caption]


def missing_distractor_types(
    queries: pa.Table, kept: pa.Table, dropped: pa.Table, recordings: Mapping[str, str], *, has_features: bool
) -> pa.Table:
    """Return (query_id, distractor_type, reason) of each type that a query has no distractor of.

    The reason is what keeps it from having one (`no_features`, `no_recording`, `one_change`), else what became of those
    that were found (a drop reason), else `none_found`.
    """
    has = {*zip(*(kept.column(name).to_pylist() for name in ("query_id", "distractor_type")), strict=True)}
    lost: dict[tuple[str, str], Counter[str]] = {}
    for row in dropped.select(["query_id", "distractor_type", "drop_reason"]).to_pylist() if dropped.num_rows else ():
        if row["distractor_type"]:
            lost.setdefault((row["query_id"], row["distractor_type"]), Counter())[row["drop_reason"]] += 1
    asked = {row["query_id"]: row for row in queries.to_pylist()}
    rows: list[dict[str, Any]] = []
    for query_id, row in sorted(asked.items()):
        hindered = {"same_look": "" if has_features else "no_features"}
        hindered["same_recording"] = "" if row["reference_id"] in recordings else "no_recording"
        hindered["half_change"] = "" if len(row["changes"] or ()) > 1 else "one_change"
        for name in TYPES:
            if (query_id, name) not in has:
                reasons = lost.get((query_id, name), Counter({"none_found": 1}))
                reason = hindered.get(name) or min(reasons, key=lambda each: (-reasons[each], each))
                rows.append({"query_id": query_id, "distractor_type": name, "reason": reason})
    names = ("query_id", "distractor_type", "reason")
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in names]))
