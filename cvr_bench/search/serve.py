"""Opens a search and serves it until Ctrl-C; the library and the model are loaded while the page stands."""

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from cvr_bench.search.desk import Desk, SearchSources
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.review.listening import Address, listen_for_reviewers, review_link, review_page_server
from cvr_data.review.store import ReviewStore

log = logging.getLogger(__name__)


def serve_search(
    sources: SearchSources,
    out: Path,
    annotator: str,
    address: Address,
    announce: Callable[[str], None],
) -> None:
    """Serve the search, announcing the link at once and a line when it answers, until the process is interrupted.

    Raises:
        CvrError: there is nothing to search, `out` belongs to another library, or the address is taken.
    """
    try:
        import uvicorn  # noqa: F401

        from cvr_bench.search.app import make_search_app
    except ImportError as error:
        raise CvrError(f"cvr serve needs Starlette and uvicorn: pip install 'cvr[review]' ({error})") from None
    for folder in (sources.videos, sources.embeddings):
        open_artifact(folder)  # what is no artifact is told before a page stands
    with ExitStack() as stack:
        listening = stack.enter_context(listen_for_reviewers(address))
        desk = Desk(sources, stack.enter_context(ReviewStore(out)), annotator)
        stack.callback(desk.close)
        tokens = {annotator: desk.token()} if address.asks_for_token() else None
        server = review_page_server(make_search_app(desk, tokens=tokens))
        announce(
            f"{sources.videos}: {review_link(listening, address.host, {'token': tokens[annotator]} if tokens else {})}"
        )
        failed: list[BaseException] = []

        def load() -> None:
            try:
                _load(desk, announce)
            except BaseException as error:
                failed.append(error)
                server.should_exit = True

        threading.Thread(target=load, daemon=True, name="load").start()
        server.run(sockets=[listening])
        if failed:
            raise failed[0]


def _load(desk: Desk, announce: Callable[[str], None]) -> None:
    """Load the library and the model, and say so; then index the library, without which all videos are looked at."""
    desk.load()
    announce(f"{desk.status()['videos']:,} videos loaded in {desk.status()['seconds']:.1f} s; Ctrl-C ends it.")
    try:
        desk.index()
    except Exception:
        log.exception("No index could be made; all videos are looked at, as before.")
