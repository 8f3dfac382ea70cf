"""Opens a review and serves it until Ctrl-C."""

import logging
import os
import pwd
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import input_key
from cvr_data.core.errors import CvrError
from cvr_data.core.lineage import follow, input_names
from cvr_data.review.items import Reviewed, TargetNeighbours, read_reviewed
from cvr_data.review.media import media_to_review
from cvr_data.review.session import Session, Settings
from cvr_data.review.store import ReviewStore
from cvr_data.triplets.dataset import read_dataset_videos

log = logging.getLogger(__name__)
NOBODY = 65_534
"""Accounts from this number on, and below 1000, are those of programs."""
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
ANY_HOST = ("0.0.0.0", "::")


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


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where the page is served."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one."""
    needs_token: bool | None = None
    """Ask for a token on loopback too; elsewhere it is always asked for. None asks where others can log in."""


def serve_review(
    sources: ReviewSources, out: Path, settings: Settings, address: Address, announce: Callable[[str], None]
) -> None:
    """Serve the review, announcing one line per annotator with the link, until the process is interrupted.

    Raises:
        CvrError: nothing to review, `out` belongs to another review, or the address is taken.
    """
    try:
        import uvicorn

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
        here = other_reviewers_log_in() if address.needs_token is None else address.needs_token
        asks = here or address.host not in LOOPBACK_HOSTS
        tokens = {name: store.token_of(name) for name in settings.annotators}
        listening = stack.enter_context(_listen(address))
        for line in _review_links(session, listening, address.host, tokens if asks else None):
            announce(line)
        app = make_review_app(session, tokens=tokens if asks else None)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=2
        )
        uvicorn.Server(config).run(sockets=[listening])


def other_reviewers_log_in() -> bool:
    """Return whether the machine has accounts of other people, who can reach its loopback address."""
    people = (entry for entry in pwd.getpwall() if 1000 <= entry.pw_uid < NOBODY and entry.pw_uid != os.getuid())
    return any(not entry.pw_shell.endswith(("nologin", "false")) for entry in people)


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
            "gold": input_key(sources.gold) if sources.gold else "none",
        },
        reviewed.items,
    )  # fmt: skip
    artifact = reviewed.artifact
    above = sources.pairs if sources.pairs and not input_names(artifact, "videos") else artifact.path
    folders = (sources.videos,) if sources.videos else follow(above, "videos")
    videos = read_dataset_videos(folders)
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


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((address.host, address.port))
        found.listen(128)
    except OSError as error:
        found.close()
        raise CvrError(f"Cannot listen on {address.host}, port {address.port}: {error.strerror or error}.") from None
    return found


def _review_links(
    session: Session, listening: socket.socket, host: str, tokens: dict[str, str] | None
) -> Sequence[str]:
    port = listening.getsockname()[1]
    host = socket.gethostname() if host in ANY_HOST else host
    shown = f"[{host}]" if ":" in host else host
    lines = []
    for name in session.settings.annotators:
        state = session.state(name)
        query = {"annotator": name, **({"token": tokens[name]} if tokens else {})}
        link = f"http://{shown}:{port}/?{urlencode(query)}"
        lines.append(f"{name}: {state['done']} of {state['total']} judged  {link}")
    return lines
