"""How well each sampled frame of a target fits the modification text: `frame_scores`, as WebVid-CoVR publishes them.

The scores are cosines in the encoder's shared space, rounded to the four decimals of the published files; CoVR's code
weights the frames of a target with them.
"""

# Shapes: B triplets, T frames, D embedding.

from collections.abc import Collection
from contextlib import nullcontext
from pathlib import Path

import pyarrow as pa
import torch
import torch.nn.functional as F

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns, with_column
from cvr_data.core.lineage import input_paths
from cvr_data.core.progress import Progress, watched_progress
from cvr_data.core.runner import StageRun
from cvr_data.core.stages import Side, Step
from cvr_data.features.protocol import Encoder
from cvr_data.features.store import FeatureStore
from cvr_data.media.video import Video
from cvr_data.tables import TRIPLETS

STAGE = "frame-scores"
BATCH = 256
ROWS = 64 * BATCH
"""Triplets of one part."""
DECIMALS = 4
VERSION = 1


def write_frame_scores(triplets: Path, embeddings: Path, out: Path, *, overwrite: bool = False) -> Artifact:
    """Return the triplets as an artifact with `frame_scores`, from stored features in a shared space.

    Raises:
        CvrError: no triplets, or the features are in two spaces that no heads were fitted to.
    """
    source = open_artifact(triplets)
    inputs = {"triplets": triplets, "embeddings": embeddings, **input_paths(source, "videos")}
    run = StageRun(out, stage=STAGE, version=VERSION, config={}, inputs=inputs, overwrite=overwrite)
    if (done := run.finished()) is not None:
        return done
    FeatureStore.open(embeddings)  # refused before anything is written
    with run:
        required = [field.name for field in TRIPLETS if not field.nullable]
        flow = run.read(triplets, None, required, part_rows=ROWS)
        side = Side(FeatureStore.open, (embeddings,))
        flow = flow.then(Step(name=STAGE, run=_scored, config=str(triplets), sides=(side,), tells=True, on_gpu=True))
        run.write_parts(flow, total=source.manifest["rows"])
        return run.finish(scored=run.told["scored"])


def _scored(where: str, part: pa.Table, store: FeatureStore) -> tuple[pa.Table, dict[str, int]]:
    from cvr_data.features.encoders.stored import StoredEncoder

    table = check_columns(part, TRIPLETS, where)
    # One encoder for each part: it remembers texts as they came out in the company of others of that part.
    scored = with_frame_scores(table, StoredEncoder(store), store.video_ids)
    return scored, {"scored": scored.num_rows - scored.column("frame_scores").null_count}


def with_frame_scores(triplets: pa.Table, encoder: Encoder, video_ids: Collection[str]) -> pa.Table:
    """Return the triplets with `frame_scores`; null where the target is not among the encoder's `video_ids`."""
    known = set(video_ids)
    scores: list[list[float] | None] = [None] * triplets.num_rows
    targets = triplets.column("target_id").to_pylist()
    texts = triplets.column("modification").to_pylist()
    rows = [row for row, target in enumerate(targets) if target in known]
    told = watched_progress()
    with Progress("frame scores", len(rows)) if told is None else nullcontext(told) as progress:
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            found = _scores([targets[row] for row in batch], [texts[row] for row in batch], encoder)
            for row, values in zip(batch, found, strict=True):
                scores[row] = values
            progress.advance(len(batch))
    return with_column(triplets, TRIPLETS.field("frame_scores"), scores)


def _scores(target_ids: list[str], texts: list[str], encoder: Encoder) -> list[list[float]]:
    with torch.inference_mode():
        videos = encoder.encode_videos([Video(video_id) for video_id in target_ids])
        text_BD = encoder.encode_texts(texts).pooled_BD
        scores_BT = torch.einsum("btd,bd->bt", F.normalize(videos.frames_BTD, dim=-1), text_BD)
    return [
        [round(float(score), DECIMALS) for score in scores_T[mask_T]]
        for scores_T, mask_T in zip(scores_BT, videos.mask_BT, strict=True)
    ]
