"""What a strategy makes of a small table of videos, in parts as the command does, without filters and types."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.columns import check_columns
from cvr_data.core.runner import StageRun
from cvr_data.language.words import words_of
from cvr_data.pairs.columns import pair_columns_of_videos
from cvr_data.pairs.strategies import ReadsDescriptions
from cvr_data.tables import VIDEOS

ORDER = [("reference_id", "ascending"), ("target_id", "ascending"), ("pair_id", "ascending")]


def captioned(corpus: Mapping[str, Sequence[str]]) -> pa.Table:
    """Return videos with these captions."""
    rows = [{"video_id": key, "captions": captions, "source": "test"} for key, captions in corpus.items()]
    return check_columns(pa.Table.from_pylist(rows, schema=pa.schema(list(VIDEOS)[:3])), VIDEOS, "test")


def first_of_each(captions: Iterable[str]) -> list[str]:
    """Return the captions that differ in a word, as they are written first."""
    return list({tuple(words_of(caption)): caption for caption in [*captions][::-1]}.values())


def mined(module, config, videos, embeddings=None, rows_per_part=1_000_000):
    """Return the pairs, sorted, and then those that were dropped, which have a `drop_reason`."""
    checked = check_columns(videos, VIDEOS, "test")
    videos = pair_columns_of_videos(False, checked)
    if isinstance(module, ReadsDescriptions) and module.reads_descriptions(config):
        videos = videos.append_column("description", checked.column("description"))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "videos")
        with ArtifactWriter(source, stage="import-test") as writer:
            for number, start in enumerate(range(0, max(videos.num_rows, 1), rows_per_part)):
                writer.write_part(number, videos.slice(start, rows_per_part))
            writer.finish()
        out = Path(folder, "pairs")
        with StageRun(out, stage="mined", version=1, config={}, inputs={"videos": source}, overwrite=False) as run:
            artifact = run.write(module.mined(config, run.read(source), embeddings))
        kept = pa.concat_tables([artifact.read(), artifact.dropped().slice(0, 0)], promote_options="permissive")
        return pa.concat_tables([kept.sort_by(ORDER), artifact.dropped()], promote_options="permissive")
