"""Opens a review and serves it until Ctrl-C."""

import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import artifact_input_key
from cvr_data.core.errors import CvrError
from cvr_data.core.lineage import follow, input_names
from cvr_data.review.items import Reviewed, TargetNeighbours, read_reviewed
from cvr_data.review.listening import Address, listen_for_reviewers, review_link, review_page_server
from cvr_data.review.media import media_to_review
from cvr_data.review.session import Session, Settings
from cvr_data.review.store import ReviewStore
from cvr_data.triplets.dataset import read_videos_of_triplets

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ReviewSources:
    """What is reviewed, and where the rest of it lies if manifests no longer lead there."""

    reviewed: Path
    videos: Path | None = None
    pairs: Path | None = None
    embeddings: Path | None = None
    splits: tuple[str, ...] = ()
    gold: Path | None = None
    media: tuple[Path, ...] = ()
    """Folders that links among the media may lead to."""


def serve_review(
    sources: ReviewSources, out: Path, settings: Settings, address: Address, announce: Callable[[str], None]
) -> None:
    """Serve the review, announcing one line per annotator with the link, until the process is interrupted.

    Raises:
        CvrError: nothing to review, `out` belongs to another review, or the address is taken.
    """
    try:
        import uvicorn  # noqa: F401

        from cvr_data.review.app import make_review_app
    except ImportError as error:
        raise CvrError(f"cvr review needs Starlette and uvicorn: pip install 'cvr[review]' ({error})") from None
    reviewed = read_review_sources(sources, settings)
    with ExitStack() as stack:
        store = stack.enter_context(ReviewStore(out))
        session = open_review_session(sources, reviewed, store, settings)
        stack.callback(session.media.close)
        if missing := session.media.missing():
            log.warning(
                "%d of %d videos have no file here; their captions are shown.", missing, len(session.media.video_ids)
            )
        known = {name: store.token_of(name) for name in settings.annotators}  # who was invited stands in the report
        tokens = known if address.asks_for_token() else None
        listening = stack.enter_context(listen_for_reviewers(address))
        for line in _review_links(session, listening, address.host, tokens):
            announce(line)
        review_page_server(make_review_app(session, tokens=tokens)).run(sockets=[listening])


def read_review_sources(sources: ReviewSources, settings: Settings) -> Reviewed:
    """Return what is to be judged. Raises CvrError: nothing to review, or the overlap is no share."""
    if not 0 <= settings.overlap <= 1:
        raise CvrError(f"--overlap should be between 0 and 1, got {settings.overlap:g}.")
    return read_reviewed(sources.reviewed, pairs=sources.pairs, splits=sources.splits, gold=sources.gold)


def open_review_session(sources: ReviewSources, reviewed: Reviewed, store: ReviewStore, settings: Settings) -> Session:
    """Return the review of the sources with the judgments made so far.

    Raises:
        CvrError: the store belongs to another review, or videos or embeddings are not where they should be.
    """
    store.settle(
        {
            "key": reviewed.artifact.key, "split": ",".join(sources.splits) or "all",
            "overlap": f"{settings.overlap:g}", "seed": str(settings.seed),
            "gold": artifact_input_key(sources.gold) if sources.gold else "none",
        },
        reviewed.items,
    )  # fmt: skip
    artifact = reviewed.artifact
    above = sources.pairs if sources.pairs and not input_names(artifact, "videos") else artifact.path
    folders = (sources.videos,) if sources.videos else follow(above, "videos")
    videos = read_videos_of_triplets(folders)
    shown = set(reviewed.video_ids)
    neighbours = None
    if sources.embeddings and videos is not None:
        splits = sorted({item.split for item in reviewed.items if item.split})
        rows = videos.filter(pc.is_in(videos["split"], pa.array(splits, pa.string()))) if splits else videos
        neighbours = TargetNeighbours.open(sources.embeddings, rows)
        shown |= set(rows["video_id"].to_pylist())
    media = media_to_review(folders, shown, sources.media)
    return Session(reviewed, store, settings, media, _captions(videos, shown), neighbours)


def _captions(videos: pa.Table | None, wanted: set[str]) -> dict[str, str]:
    if videos is None:
        return {}
    rows = zip(videos["video_id"].to_pylist(), videos["captions"].to_pylist(), strict=True)
    return {video_id: captions[0] for video_id, captions in rows if video_id in wanted and captions}


def _review_links(
    session: Session, listening: socket.socket, host: str, tokens: dict[str, str] | None
) -> Sequence[str]:
    lines = []
    for name in session.settings.annotators:
        state = session.state(name)
        query = {"annotator": name, **({"token": tokens[name]} if tokens else {})}
        lines.append(f"{name}: {state['done']} of {state['total']} judged  {review_link(listening, host, query)}")
    return lines
