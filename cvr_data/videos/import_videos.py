"""Turns a corpus into a videos artifact: one row per video, rows that fail beside it with their reason."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifact_files import check_artifact_outside
from cvr_data.core.artifacts import Artifact, artifact_input_key
from cvr_data.core.columns import check_columns, mark, with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.places import path_or_address
from cvr_data.core.progress import Progress
from cvr_data.core.registry import config_dict
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import Step
from cvr_data.language.normalise import normalise_text_columns
from cvr_data.language.which_language import languages_of_words
from cvr_data.media.clip import Clip
from cvr_data.media.look import look_at_clips, media_files
from cvr_data.media.names import is_media_file
from cvr_data.media.verdict import VERDICTS, what_is_odd_in_media
from cvr_data.media.video import DECODING
from cvr_data.tables import VIDEOS, WRITTEN_COLUMNS
from cvr_data.videos.corpora import CorpusModule, HasMedia, NamesMedia
from cvr_data.videos.entries import SCHEMA
from cvr_data.videos.repeated import READ, refuse_repeated_videos, repeated_videos_step

logger = logging.getLogger(__name__)
PART_ROWS = 65_536
"""Rows of a part where nothing is looked at: reading and cleaning that many takes seconds."""


LOOKED_AT = 200
"""Captions of a part whose language is guessed: half a millisecond each."""
LONGEST_LOOK = 500
"""Characters of a caption that tell its language."""
USER = r"(://)[^/\s@\"']*@"
"""What an address may say of a user, with a password or without."""
PASSWORDS = "addresses_with_password"
WITHOUT_CAPTION = "without_caption"
"""Videos that no source says anything of: `cvr describe-videos --captions` can."""
MAX_CAPTION = 1_000_000
"""Characters that a parser takes at once; a caption of more is a broken file."""


def import_videos(
    corpus: CorpusModule, config: Any, out: Path | Callable[[object], Path], *, overwrite: bool = False
) -> Artifact:
    """Write the videos of a corpus and return the artifact, resuming an interrupted import.

    `out` may be a function that gives the folder for what the files hold now.

    Raises:
        CvrError: the source cannot be read, gives no row at all, or `out` holds something else.
    """
    name = corpus.__name__.rsplit(".", 1)[-1].replace("_", "-")
    inputs = corpus.inputs(config)
    found = _corpus_media(corpus, config)
    media = {} if found is None else {"media_files": _listing(*found), "decoding": DECODING}
    if callable(out):
        out = out(({name: artifact_input_key(path) for name, path in inputs.items()}, media))
    if overwrite and found is not None:
        check_artifact_outside(out, [found[0]])
    run = StageRun(
        out,
        stage=f"import-{name}",
        version=corpus.VERSION,
        config={**config_dict(config), **media},
        inputs=inputs,
        overwrite=overwrite,
    )
    if (done := run.finished()) is not None:
        return done
    where = ", ".join(map(str, inputs.values())) or name
    with run:
        try:
            run.write_parts(_corpus_videos(run, corpus, config, where), VIDEOS)
        except CvrError as error:
            # A source that is wrong will be no better on the next run: nothing half-written stays.
            run.writer.discard()
            is_named = any(str(path) in str(error) for path in inputs.values())
            raise error if is_named else CvrError(f"{where}: {error}") from None
        return run.finish(**_told_of_import(run.told))


def _corpus_videos(run: StageRun, corpus: CorpusModule, config: Any, where: str) -> Flow:
    """The videos of a corpus with their captions cleaned, and their media looked at where that is asked for."""
    rows = run.made("read", partial(_corpus_parts, corpus, config, run.out))
    if not rows.parts:
        raise CvrError(f"{where}: no row can be used.")
    videos = rows.then(repeated_videos_step(getattr(config, "repeated", "error")))
    refuse_repeated_videos(videos, where, "repeated" in config_dict(config))
    if getattr(config, "check", False):
        videos = videos.then(Step(name="look", run=_looked, tells=True))
    videos = videos.then(Step(name="caption", run=_cleaned, tells=True))
    return videos.then(Step(name="kept", run=_without_detail, is_counted=False))


def _told_of_import(counts: Mapping[str, int]) -> dict[str, Any]:
    """What the manifest says of the rows that were read, the languages of captions and the verdicts on media."""
    told = dict(sorted(counts.items()))
    media = {name: told.pop(name) for name in VERDICTS if name in told}
    if odd := what_is_odd_in_media(media):
        logger.warning(odd)
    left_out = {PASSWORDS: count} if (count := told.pop(PASSWORDS, 0)) else {}
    if left_out:
        logger.warning("%d addresses named a user and a password, which are not kept.", count)
    if silent := told.pop(WITHOUT_CAPTION, 0):
        left_out[WITHOUT_CAPTION] = silent
    return {READ: told.pop(READ, 0), **left_out, "languages": told, **({"media": media} if media else {})}


def _listing(folder: Path, names: Iterable[str]) -> str:
    """Return how many of the named files are in a folder, and the hash of their names and sizes.

    Not of their times, which differ between two copies of a folder, nor of their bytes, which take hours to read.
    """
    sizes = [(name, (folder / name).stat().st_size) for name in sorted(set(names)) if is_media_file(folder / name)]
    digest = hashlib.sha256(json.dumps(sizes).encode()).hexdigest()
    return f"{len(sizes)} of listing {digest[:16]}"


def _corpus_media(corpus: CorpusModule, config: Any) -> tuple[Path, Iterable[str]] | None:
    """A folder and the names in it of the media that a corpus looks for; None if it looks for none."""
    if isinstance(corpus, NamesMedia):
        return corpus.media(config)
    folder = config.media if isinstance(config, HasMedia) else None
    return None if folder is None else (folder, media_files(folder))


def _corpus_parts(corpus: CorpusModule, config: Any, out: Path) -> Iterator[pa.Table]:
    """The rows of a corpus, in parts of `PART_ROWS`; where media are looked at, each slice is a part."""
    where = f"import-{corpus.__name__.rsplit('.', 1)[-1]}"
    waiting: list[pa.Table] = []
    rows = 0
    with Progress(where, corpus.count(config), "rows") as progress:
        for table in corpus.load(config, out):
            progress.advance(table.num_rows)
            waiting.append(check_columns(table, SCHEMA, where))
            rows += table.num_rows
            if rows >= PART_ROWS or table.column("path").null_count < table.num_rows:
                yield pa.concat_tables(waiting)
                waiting, rows = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


def _looked(config: None, videos: pa.Table) -> tuple[pa.Table, dict[str, int]]:
    """The videos, those of a file with its hash and length; one whose file gives no frame is dropped."""
    if videos.column("path").null_count == videos.num_rows:
        return videos, {}
    names = ("path", "start_s", "end_s", "duration_s", "content_sha256", "media_note", "detail")
    rows = videos.select(names).to_pylist()
    found = [row for row in rows if row["path"] is not None]
    looks = look_at_clips([Clip(path_or_address(row["path"]), row["start_s"], row["end_s"]) for row in found])
    for row, look in zip(found, looks, strict=True):
        detail = ": ".join(told for told in (row["detail"], look.detail) if told) or None
        row |= {"content_sha256": look.sha256, "drop_reason": look.drop_reason, "detail": detail}
        row["media_note"] = look.note
        row["duration_s"] = look.duration_s if row["duration_s"] is None else row["duration_s"]
    for name in (*names[3:], "drop_reason"):
        videos = with_column(videos, SCHEMA.field(name), [row.get(name) for row in rows])
    return videos, dict(Counter(look.verdict for look in looks))


def _cleaned(config: None, videos: pa.Table) -> tuple[pa.Table, Counter[str]]:
    """The videos with their texts as they are stored, and what languages some of them seem to be in.

    No address keeps a user or password: a table goes on to logs, pages and the Hub.

    One whose captions are all empty, or one of them endless, is dropped.
    """
    table = normalise_text_columns(videos, WRITTEN_COLUMNS, decode=True)
    urls = table.column("url")
    table = with_column(table, VIDEOS.field("url"), pc.replace_substring_regex(urls, USER, r"\1"))
    captions = table.column("captions").combine_chunks()
    rows, is_empty = pc.list_parent_indices(captions), pc.equal(pc.list_flatten(captions), "")
    numbers = np.arange(table.num_rows)
    is_long = pc.greater(pc.utf8_length(pc.list_flatten(captions)), MAX_CAPTION)
    masks = (is_empty, pc.invert(is_empty), is_long)
    has_empty, has_other, has_long = (np.isin(numbers, rows.filter(mask).to_numpy()) for mask in masks)
    table = mark(table, pa.array(has_empty & ~has_other), "no_caption")
    texts = pc.list_flatten(captions)
    some = texts.take(pa.array(np.arange(0, len(texts), max(1, len(texts) // LOOKED_AT))))
    languages = languages_of_words([text[:LONGEST_LOOK] for text in some.to_pylist()])
    changed = pc.sum(pc.not_equal(urls, table.column("url"))).as_py() or 0
    silent = pc.sum(pc.and_(pc.equal(pc.list_value_length(captions), 0), pc.is_null(table.column("drop_reason"))))
    counts = Counter({PASSWORDS: changed, WITHOUT_CAPTION: silent.as_py() or 0})
    return mark(table, pa.array(has_long), "caption_too_long"), languages + counts


def _without_detail(config: None, videos: pa.Table) -> pa.Table:
    return videos.drop_columns(["detail"])
