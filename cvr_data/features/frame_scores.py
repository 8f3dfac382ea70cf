"""How well each sampled frame of a target fits the modification text: `frame_scores`, as WebVid-CoVR publishes them.

The scores are cosines in the encoder's shared space, rounded to the four decimals of the published files; CoVR's code
weights the frames of a target with them.
"""

# Shapes: B triplets, T frames, D embedding.

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import torch
import torch.nn.functional as F

from cvr_data.core.artifacts import Artifact, ArtifactWriter, open_artifact
from cvr_data.core.columns import check_columns, with_column
from cvr_data.core.lineage import input_paths
from cvr_data.core.progress import Progress
from cvr_data.features.protocol import Encoder
from cvr_data.media.video import Video
from cvr_data.tables import TRIPLETS

BATCH = 256
DECIMALS = 4
VERSION = 1


def write_frame_scores(triplets: Path, embeddings: Path, out: Path, *, overwrite: bool = False) -> Artifact:
    """Return the triplets as an artifact with `frame_scores`, from stored features in a shared space.

    Raises:
        CvrError: no triplets, or the features are in two spaces that no heads were fitted to.
    """
    from cvr_data.features.encoders.stored import Config, load

    source = open_artifact(triplets)
    table = check_columns(source.read(), TRIPLETS, str(triplets))
    inputs = {"triplets": triplets, "embeddings": embeddings, **input_paths(source, "videos")}
    writer = ArtifactWriter(out, stage="frame-scores", version=VERSION, inputs=inputs, overwrite=overwrite)
    if (done := writer.finished()) is not None:
        return done
    encoder = load(Config(embeddings=embeddings))
    with writer:
        scored = with_frame_scores(table, encoder, encoder.store.video_ids)
        writer.write_part(0, scored)
        return writer.finish(scored=scored.num_rows - scored.column("frame_scores").null_count)


def with_frame_scores(triplets: pa.Table, encoder: Encoder, video_ids: Collection[str]) -> pa.Table:
    """Return the triplets with `frame_scores`; null where the target is not among the encoder's `video_ids`."""
    known = set(video_ids)
    scores: list[list[float] | None] = [None] * triplets.num_rows
    targets = triplets.column("target_id").to_pylist()
    texts = triplets.column("modification").to_pylist()
    rows = [row for row, target in enumerate(targets) if target in known]
    with Progress("frame scores", len(rows)) as progress:
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
