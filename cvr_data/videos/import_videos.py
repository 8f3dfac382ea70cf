"""Turns a corpus into a videos artifact: one row per video, rows that fail beside it with their reason."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifact_files import check_outside
from cvr_data.core.artifacts import Artifact, ArtifactWriter
from cvr_data.core.columns import check_columns, mark
from cvr_data.core.errors import CvrError
from cvr_data.core.progress import Progress
from cvr_data.core.registry import config_dict
from cvr_data.core.stages import split_dropped
from cvr_data.language.normalise import clean_columns
from cvr_data.media.look import media_files
from cvr_data.tables import VIDEOS, WRITTEN_COLUMNS
from cvr_data.videos.corpora import CorpusModule, HasMedia, NamesMedia


def import_videos(corpus: CorpusModule, config: Any, out: Path, *, overwrite: bool = False) -> Artifact:
    """Write the videos of a corpus and return the artifact, resuming an interrupted import.

    Raises:
        CvrError: the source cannot be read, gives no row at all, or `out` holds something else.
    """
    name = corpus.__name__.rsplit(".", 1)[-1].replace("_", "-")
    inputs = corpus.inputs(config)
    found = _media(corpus, config)
    if overwrite and found is not None:
        check_outside(out, [found[0]])
    writer = ArtifactWriter(
        out,
        stage=f"import-{name}",
        version=corpus.VERSION,
        config={**config_dict(config), **({} if found is None else {"media_files": listing(*found)})},
        inputs=inputs,
        overwrite=overwrite,
    )
    if (done := writer.finished()) is not None:
        return done
    with writer, Progress(f"import-{name}", corpus.count(config), "videos") as progress:
        try:
            tables = (_checked(table, f"import-{name}") for table in corpus.load(config, out))
            kept = _write_parts(writer, tables, progress)
            if not kept:
                raise CvrError(f"{', '.join(map(str, inputs.values())) or name}: no row can be used.")
        except CvrError:
            # A source that is wrong will be no better on the next run: nothing half-written stays.
            writer.discard()
            raise
        return writer.finish()


def listing(folder: Path, names: Iterable[str]) -> str:
    """Return how many of the named files are in a folder, and the hash of their names and sizes.

    Not of their times, which differ between two copies of a folder, nor of their bytes, which take hours to read.
    """
    sizes = [(name, (folder / name).stat().st_size) for name in sorted(set(names)) if (folder / name).is_file()]
    digest = hashlib.sha256(json.dumps(sizes).encode()).hexdigest()
    return f"{len(sizes)} of listing {digest[:16]}"


def _media(corpus: CorpusModule, config: Any) -> tuple[Path, Iterable[str]] | None:
    """A folder and the names in it of the media that a corpus looks for; None if it looks for none."""
    if isinstance(corpus, NamesMedia):
        return corpus.media(config)
    folder = config.media if isinstance(config, HasMedia) else None
    return None if folder is None else (folder, media_files(folder))


def _checked(table: pa.Table, where: str) -> pa.Table:
    """Return a table of videos with its texts as they are stored; a video whose captions are all empty is dropped."""
    table = clean_columns(check_columns(table, VIDEOS, where), WRITTEN_COLUMNS)
    captions = table.column("captions").combine_chunks()
    rows, is_empty = pc.list_parent_indices(captions), pc.equal(pc.list_flatten(captions), "")
    numbers = np.arange(table.num_rows)
    has_empty, has_other = (np.isin(numbers, rows.filter(mask).to_numpy()) for mask in (is_empty, pc.invert(is_empty)))
    return mark(table, pa.array(has_empty & ~has_other), "no_caption")


def _write_parts(writer: ArtifactWriter, tables: Iterator[pa.Table], progress: Progress) -> int:
    kept = dropped = 0
    for index, table in enumerate(tables):
        good, bad = split_dropped(table)
        if not writer.has_part(index):
            writer.write_part(index, good, dropped=bad)
        kept, dropped = kept + good.num_rows, dropped + bad.num_rows
        progress.advance(table.num_rows, f"{dropped} dropped")
    return kept
