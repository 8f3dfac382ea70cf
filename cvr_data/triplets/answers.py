"""Lists every video that has the target's caption, word for word, as a target of the query: it fits the text as well.

    triplets_with_all_answers(run, triplets, folders, AnswersConfig(...))      triplets of val and test get further rows

A text says how one caption becomes another, so it leads to each video of that other caption; one that is not listed
counts against whoever finds it. Dense texts say more than captions do and get no row. A row that people rejected
(`cvr export-judgments`) is not made. A query whose target's caption more than `max_answers` videos of its split have is
dropped as `too_many_answers`: it asks for a kind of video, not for one.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark
from cvr_data.core.parts import hash_bucket_keys, mix_hash_bits
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import KeyedStep, Step
from cvr_data.language.normalise import normalised
from cvr_data.tables import pair_id, triplet_id
from cvr_data.triplets.claims import FOLDER, IS_TEST
from cvr_data.triplets.judgments import Key, Verdict, Verdicts

JUDGED_SPLITS = ("val", "test")
"""Splits that models are scored on."""
LATER = 1 << 20
"""Added to the folder of a row that was made here, so that of equal triplets the mined one stays."""
_VIDEO, _GROUP, _SPLIT, _CAPTION = "answer.video_id", "answer.group_id", "answer.split", "answer.caption"
ANSWERS = "answers"
"""Name of the step."""
FURTHER_ANSWERS = "further_answers"
"""What the manifest calls how many rows were made."""


@dataclass(frozen=True, kw_only=True)
class AnswersConfig:
    """Which videos answer a query."""

    max_answers: int
    """Videos of one split that may have the target's caption."""
    default_split: str
    """Of videos that carry none."""
    verdicts: Mapping[Key, Verdict] = field(default_factory=dict)
    """What people said of the texts of one style of a pair (`triplets.judgments`)."""
    judged_splits: frozenset[str | None] = frozenset()
    """Where nothing that nobody judged is taken."""


class Captioned(NamedTuple):
    """A video with a caption."""

    video_id: str
    group_id: str | None
    split: str


def triplet_answers_config(max_answers: int, default_split: str, verdicts: Verdicts | None) -> AnswersConfig:
    """Return the config for the judgments that there are."""
    if verdicts is None:
        return AnswersConfig(max_answers=max_answers, default_split=default_split)
    judged = verdicts.splits if verdicts.judged_only else frozenset()
    return AnswersConfig(
        max_answers=max_answers, default_split=default_split, verdicts=verdicts.verdicts, judged_splits=judged
    )


def triplets_with_all_answers(
    run: StageRun, triplets: Flow, folders: Sequence[tuple[Path, bool]], config: AnswersConfig
) -> Flow:
    """Return the triplets with a row for each further video that answers a query of val or test.

    Args:
        run: of the stage that asks.
        triplets: rows with the columns of triplets, FOLDER and IS_TEST.
        folders: of videos, and whether they are of sources that alone give the test.
        config: which videos answer.
    """
    columns = ("video_id", "captions", "split", "group_id")
    flows = [triplets]
    for folder, is_test in folders:
        named = Step(name="captions", run=triplet_answers_by_caption, config=is_test, makes_rows=True, is_counted=False)
        flows.append(run.read(folder, columns, ["video_id", "captions"]).then(named))
    return run.meet(
        flows,
        KeyedStep(name=ANSWERS, run=add_triplet_answers, key=_by_caption, config=config, makes_rows=True, tells=True),
    )


def triplet_answers_by_caption(is_test: bool, videos: pa.Table) -> pa.Table:
    """Return a row for each caption of each video."""
    lists = videos.column("captions").combine_chunks()
    rows = pc.list_parent_indices(lists)
    kinds = {"split": _SPLIT, "group_id": _GROUP}
    optional = {
        new: videos.column(name).take(rows).cast(pa.string())
        if name in videos.column_names
        else pa.nulls(len(rows), pa.string())
        for name, new in kinds.items()
    }
    return pa.table({
        _VIDEO: videos.column("video_id").take(rows), _CAPTION: normalised(pc.list_flatten(lists)), **optional,
        IS_TEST: pa.array(np.full(len(rows), is_test)),
    })  # fmt: skip


def _by_caption(config: AnswersConfig, rows: pa.Table) -> np.ndarray:
    """Where triplets meet the videos that have the caption of their target, those of test sources apart."""
    if _CAPTION in rows.column_names:
        keys = hash_bucket_keys(rows.column(_CAPTION))
    else:
        said = normalised(rows.column("target_caption"))
        keys = np.where(
            pc.equal(said, "").to_numpy(False), hash_bucket_keys(rows.column("triplet_id")), hash_bucket_keys(said)
        )
    return mix_hash_bits(keys + rows.column(IS_TEST).to_numpy().astype(np.uint64))


def add_triplet_answers(config: AnswersConfig, bucket: pa.Table) -> tuple[pa.Table, dict[str, int]]:
    """Return the triplets, those that too many videos answer with their `drop_reason`, and the rows that were made."""
    own = [name for name in bucket.column_names if not name.startswith("answer.")]
    is_video = pc.is_valid(bucket.column(_VIDEO)) if _VIDEO in bucket.column_names else pa.array([False] * len(bucket))
    rows, videos_of = bucket.filter(pc.invert(is_video)).select(own), _videos_of(config, bucket.filter(is_video))
    said = normalised(rows.column("target_caption")).to_pylist()
    scored = set(pc.indices_nonzero(pc.is_in(rows.column("split"), pa.array(JUDGED_SPLITS))).to_pylist())
    answered = {
        row: [video for video in videos if is_test or video.split == split]
        for row, (caption, split, is_test) in enumerate(
            zip(said, rows.column("split").to_pylist(), rows.column(IS_TEST).to_pylist(), strict=True)
        )
        if row in scored and len(videos := videos_of.get((is_test, caption), ())) > 1
    }
    too_many = np.zeros(len(rows), bool)
    too_many[[row for row, videos in answered.items() if len(videos) > config.max_answers]] = True
    asked = [row for row in answered if not too_many[row]]
    known = set(rows.column("triplet_id").to_pylist())
    made: dict[str, dict[str, Any]] = {}
    for new in _made(config, rows, {row: answered[row] for row in asked}):
        made.setdefault(new["triplet_id"], new)
    new_rows = pa.Table.from_pylist([new for name, new in made.items() if name not in known], schema=rows.schema)
    table = pa.concat_tables([mark(rows, pa.array(too_many), "too_many_answers"), new_rows], promote_options="default")
    return table, {FURTHER_ANSWERS: new_rows.num_rows} if new_rows.num_rows else {}


def _videos_of(config: AnswersConfig, videos: pa.Table) -> dict[tuple[bool, str], list[Captioned]]:
    """The videos of each caption, by id, each once."""
    found: dict[tuple[bool, str], dict[str, Captioned]] = defaultdict(dict)
    names = (IS_TEST, _CAPTION, _VIDEO, _GROUP, _SPLIT)
    columns = [videos.column(name).to_pylist() for name in names if name in videos.column_names]
    for is_test, caption, video_id, group_id, split in zip(*columns, strict=True):
        found[is_test, caption][video_id] = Captioned(video_id, group_id, split or config.default_split)
    return {key: [videos[name] for name in sorted(videos)] for key, videos in found.items()}


def _made(
    config: AnswersConfig, rows: pa.Table, answered: Mapping[int, Sequence[Captioned]]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of further videos, each with the other columns of the row whose text it takes."""
    numbers = sorted(answered)
    asked = zip(numbers, rows.take(pa.array(numbers, pa.int64())).to_pylist(), strict=True)
    for number, row in sorted(asked, key=lambda each: (each[1][FOLDER], each[1]["modification_id"])):
        group = row["reference_group_id"]
        for video in answered[number]:
            is_reference = video.video_id == row["reference_id"] or (group and video.group_id == group)
            if not is_reference and row["style"] != "dense" and _is_taken(config, row, video):
                yield _row_of(row, video)


def _is_taken(config: AnswersConfig, row: Mapping[str, Any], video: Captioned) -> bool:
    """Whether people have nothing against the text leading to the video."""
    verdict = config.verdicts.get((row["reference_id"], video.video_id, row["style"]))
    if verdict is None:
        return row["split"] not in config.judged_splits
    return verdict.reason is None and row["modification"] == verdict.modification


def _row_of(row: Mapping[str, Any], video: Captioned) -> dict[str, Any]:
    captions = [row[f"{end}_caption"] or "" for end in ("reference", "target")]
    return {
        **row,
        "target_id": video.video_id,
        "target_group_id": video.group_id,
        "triplet_id": triplet_id(row["reference_id"], row["modification"], video.video_id),
        "pair_id": pair_id(row["reference_id"], video.video_id, *captions),
        "visual_similarity": None,
        FOLDER: row[FOLDER] + LATER,
    }
