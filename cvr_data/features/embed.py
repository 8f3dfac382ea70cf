"""Writes an embeddings artifact: frames of every readable video and every distinct text, part by part.

Parts and batches are cut by row number alone, so how many threads or shards there are, or where an interrupted run
stopped, does not change what is written. A shard writes every n-th part; `cvr merge` (`features.merge_shards`) brings
shards together. A part (`features.embed_parts`) is a job of the stage runner, and made again if files that were missing
are there when an interrupted run goes on.
"""

# Shapes: N rows, D embedding.

import logging
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from cvr_data.core.artifacts import Artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.jobs import current_engine
from cvr_data.core.registry import config_dict, paths_in
from cvr_data.core.runner import StageRun
from cvr_data.core.whole_files import read_parquet
from cvr_data.features.embed_parts import PartMaker
from cvr_data.features.embed_source import EmbedInputs, Wanted, check_embed_source, embed_inputs, embed_source_schema
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.protocol import ClipEncoder, Encoder, FrameEncoder, FrameTokenEncoder, HashesWeights
from cvr_data.features.store import STAGE
from cvr_data.media.places import missing_media_record, refuse_arrived_media
from cvr_data.media.verdict import what_is_odd_in_media
from cvr_data.media.video import DECODING

logger = logging.getLogger(__name__)
VERSION = 2
STORED = {"dtype": "float16", "normalised": "pooled rows to unit length, frames and tokens not"}


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What of the source is embedded by this run, and whether with every token of a frame."""

    column: str | None = None
    """A text column of any table, and no videos."""
    only: Path | None = None
    """A CSV file of video ids."""
    num_shards: int = 1
    """Runs that share the work."""
    shard_id: int = 0
    """Which of them this is, from 0."""
    all_tokens: bool = False
    """Store every token of each frame beside its embedding."""

    def __post_init__(self) -> None:
        if not 0 <= self.shard_id < self.num_shards:
            raise CvrError(f"--shard-id should be 0 to {self.num_shards - 1}, got {self.shard_id}.")

    @property
    def shard(self) -> dict[str, int]:
        """What a shard's manifest records."""
        return {"id": self.shard_id, "of": self.num_shards}

    def has(self, part: int) -> bool:
        """Return whether this run writes the part."""
        return part % self.num_shards == self.shard_id


def embed(
    source: Path, encoder_name: str, encoder_config: Any, out: Path, *, selection: Selection | None = None,
    overwrite: bool = False,
) -> Artifact:  # fmt: skip
    """Return the artifact of raw features of a videos table, or of one text column of any table.

    A table is an artifact, a Parquet file or a CSV file.

    Raises:
        CvrError: the encoder takes no texts or gives no tokens, a column or id is missing, or no video can be read.
    """
    chosen = selection or Selection()
    run = _run(source, encoder_name, encoder_config, out, chosen, overwrite)
    if (done := run.finished()) is not None:
        return refuse_arrived_media(done, source)
    encoder = ENCODERS.get(encoder_name).load(encoder_config)
    if encoder.dim and not isinstance(encoder, FrameEncoder | ClipEncoder):
        raise CvrError(f"{encoder_name} reads no video files; choose another --encoder.")
    if chosen.all_tokens and not isinstance(encoder, FrameTokenEncoder):
        raise CvrError(f"{encoder_name} gives no frame tokens; leave --all-tokens out or choose another --encoder.")
    wanted = _wanted(source, encoder, chosen)
    check_embed_source(embed_source_schema(source), wanted)
    with run:
        try:
            found = embed_inputs(run, source, wanted)
        except CvrError:  # of what is there, which another try will not better
            run.writer.discard()
            raise
        parts = dict(enumerate((*found.video_parts, *found.text_parts)))
        mine = {number: part for number, part in parts.items() if chosen.has(number)}
        maker = PartMaker(encoder_name, encoder_config, encoder.runs_on, source, chosen.all_tokens)
        if current_engine().is_here:
            maker.encoder, maker.ahead, maker.after = encoder, mine, dict(pairwise(mine))
        with closing(maker):
            rows = run.make_parts("embed", mine, maker)
        return _finish(run, encoder, found, chosen, dict(zip(mine, rows, strict=True)))


def _encoder_summary(encoder: Encoder, all_tokens: bool) -> dict[str, Any]:
    """Return what the manifest of an embeddings folder says of its encoder."""
    widths = {"dim": encoder.dim, "text_dim": encoder.text_dim, "runs_on": encoder.runs_on}
    tokens = {"frame_token_dim": encoder.frame_token_dim} if all_tokens else {}  # type: ignore[attr-defined]
    weights = {"weights_sha256": encoder.weights_sha256()} if isinstance(encoder, HashesWeights) else {}
    return {**widths, **tokens, **weights, "stored": STORED}


def _run(
    source: Path, encoder_name: str, encoder_config: Any, out: Path, chosen: Selection, overwrite: bool
) -> StageRun:
    options = config_dict(encoder_config)
    config: dict[str, Any] = {"encoder": encoder_name, "options": options, "column": chosen.column}
    if chosen.column is None:
        config["decoding"] = DECODING
    if chosen.all_tokens:
        config["all_tokens"] = True
    if chosen.num_shards > 1:
        config["shard"] = chosen.shard
    inputs = {"videos" if chosen.column is None else "source": source}
    inputs |= {f"encoder_{name}": path for name, path in paths_in(encoder_config).items()}
    if chosen.only is not None:
        inputs["only"] = chosen.only
    return StageRun(out, stage=STAGE, version=VERSION, config=config, inputs=inputs, overwrite=overwrite)


def _wanted(source: Path, encoder: Encoder, chosen: Selection) -> Wanted:
    if chosen.column is None:
        columns = ("captions", "description") if encoder.text_dim else ()
        where = f"{source} (--column embeds a text column of another table)"
        return Wanted(videos=bool(encoder.dim), text_columns=columns, only=chosen.only, where=where)
    if not encoder.text_dim:
        raise CvrError(f"{encoder.name} encodes no texts; choose another --encoder for --column.")
    return Wanted(videos=False, text_columns=(chosen.column,), only=chosen.only, where=str(source))


def _finish(run: StageRun, encoder: Encoder, found: EmbedInputs, chosen: Selection, rows: dict[int, int]) -> Artifact:
    videos = sum(count for number, count in rows.items() if number < len(found.video_parts))
    if found.videos and not videos and chosen.num_shards == 1:
        first = next(iter(sorted(run.out.glob("dropped-*.parquet"))))
        detail = read_parquet(first, ["detail"]).column("detail")[0].as_py()
        raise CvrError(f"None of the {found.videos} videos of {run.writer.inputs['videos']} can be read: {detail}")
    parts = {"parts": len(found.video_parts) + len(found.text_parts)} if chosen.num_shards > 1 else {}
    told = dict(sorted(run.told.items()))
    if odd := what_is_odd_in_media(told):
        logger.warning(odd)
    counts = {"videos": videos, "texts": run.written - videos, **({"media": told} if told else {})}
    counts |= missing_media_record(run.writer.inputs["videos"]) if found.videos else {}
    return run.finish(**_encoder_summary(encoder, chosen.all_tokens), **counts, **parts)
