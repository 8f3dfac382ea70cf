"""The texts of a search (`cvr serve`) whose answers were marked, as pairs and modification texts for build-triplets.

    write_reviewed_search_texts(Path("searches/videos.sqlite"), Path("modifications/searched"))

Each marked answer is a pair of the clip that the search began with and the video that was found, and its text what was
typed. Whether it stands is for the judgments to say: `cvr build-triplets OUT --judgments judgments`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.reading import reading
from cvr_data.language.words import words_of
from cvr_data.pairs.search.differences import pair_differences
from cvr_data.review.items import ReviewItem
from cvr_data.review.store import KIND, ReviewStore
from cvr_data.tables import MODIFICATIONS, PAIRS, VIDEOS, content_id, modification_id, pair_id

STAGE = "searched-texts"
PAIRS_STAGE = "searched-pairs"
VERSION = 1
STYLE = "search"
"""Style of the first text of a pair; a further one of the same two videos is `search-2`, and so on."""
STRATEGY = BACKEND = PROMPT = "search"
WRITER = "person"
"""Model of a text that somebody typed."""
SEARCH_SETTINGS = {"kind": "search", "split": "all", "overlap": "1", "seed": "0", "gold": "none"}
"""Settings of a file of judgments that a search began, beside the key of its videos."""


def write_reviewed_search_texts(
    review: Path, out: Path, *, videos: Path | None = None, overwrite: bool = False
) -> Artifact:
    """Write the marked texts of a search, and their pairs to `OUT-pairs`; return the artifact of the texts.

    Args:
        review: the file of marks.
        out: the folder of the texts.
        videos: what was searched, if it lies elsewhere by now.
        overwrite: replace other texts there.

    Raises:
        CvrError: it is a review and no search, its videos are gone or others, or nothing is marked.
    """
    with reading(review, KIND), ReviewStore(review, must_exist=True) as store:
        settings, marked = store.settings(), {made.item_id for made in store.judgments()}
        items = [item for item in store.items() if item.item_id in marked]
        known = store.place()
    if settings.get("kind") != SEARCH_SETTINGS["kind"]:
        raise CvrError(
            f"{review} is of cvr review, whose texts are in the folder that was reviewed; --texts is not for it."
        )
    if videos is None and (known is None or not known.is_dir()):
        lost = "it does not say which" if known is None else f"{known} is gone"
        raise CvrError(f"{review} is of videos that cannot be found ({lost}); pass their folder with --videos.")
    library = open_artifact(videos or known or review)
    if settings["key"] != library.key:
        raise CvrError(f"{review} was begun with other videos than {library.path}; pass theirs with --videos.")
    if not items:
        raise CvrError(f"{review} holds no mark yet.")
    pairs, texts = _pairs_and_texts(items, _videos_of(library, items))
    identity = {"marks": content_id(*(f"{item.item_id} {item.texts[0]}" for item in items))}
    home = out.with_name(f"{out.name}-pairs")
    _written(home, PAIRS_STAGE, identity, {"videos": library.path}, pairs, overwrite)
    return _written(out, STAGE, identity, {"pairs": home}, texts, overwrite)


def _videos_of(library: Artifact, items: Iterable[ReviewItem]) -> dict[str, dict[str, Any]]:
    wanted = sorted({name for item in items for name in (item.reference_id, item.target_id)})
    table = check_columns(library.read(), VIDEOS, str(library.path))
    rows = table.filter(pc.is_in(table.column("video_id"), pa.array(wanted, pa.string()))).to_pylist()
    found = {row["video_id"]: row for row in rows}
    if missing := [name for name in wanted if name not in found]:
        raise CvrError(f"{library.path} has no video {first_few(missing)}.")
    return found


def _pairs_and_texts(items: Iterable[ReviewItem], videos: dict[str, dict[str, Any]]) -> tuple[pa.Table, pa.Table]:
    pairs: dict[str, dict[str, Any]] = {}
    texts: list[dict[str, Any]] = []
    for item in items:
        ends = [videos[name] for name in (item.reference_id, item.target_id)]
        captions = [(end["captions"] or [""])[0] for end in ends]
        name = pair_id(item.reference_id, item.target_id, *captions)
        pairs[name] = {
            "pair_id": name, "reference_id": item.reference_id, "target_id": item.target_id, "strategy": STRATEGY,
            "reference_caption": captions[0], "target_caption": captions[1], "split": item.split,
            "changes": pair_differences(*(words_of(caption) for caption in captions)),
            "reference_group_id": ends[0]["group_id"], "target_group_id": ends[1]["group_id"],
        }  # fmt: skip
        known: dict[str, Any] = {
            "style": item.style,
            "backend": BACKEND,
            "model": WRITER,
            "prompt_sha256": "",
            "seed": 0,
        }
        texts.append(
            {**known, "modification_id": modification_id(pair_id=name, **known), "pair_id": name, "prompt": PROMPT,
             "modification": item.texts[0], "raw": item.texts[0], "status": "ok", "reasons": []}
        )  # fmt: skip
    by_id = (
        sorted(pairs.values(), key=lambda row: row["pair_id"]),
        sorted(texts, key=lambda row: row["modification_id"]),
    )
    return pa.Table.from_pylist(by_id[0], schema=PAIRS), pa.Table.from_pylist(by_id[1], schema=MODIFICATIONS)


def _written(
    out: Path, stage: str, config: dict[str, str], inputs: dict[str, Path], table: pa.Table, overwrite: bool
) -> Artifact:
    writer = ArtifactWriter(out, stage=stage, version=VERSION, config=config, inputs=inputs, overwrite=overwrite)
    if (done := writer.finished()) is not None:
        return done
    with writer:
        writer.write_part(0, table)
        return writer.finish()
