"""Judge triplets or modification texts in the browser, alone or with others."""

from pathlib import Path
from typing import Any

import click

from cvr_data.commands.options import FOLDER, PATH, seed_option


@click.command()
@click.argument("reviewed", metavar="TRIPLETS|MODIFICATIONS", type=FOLDER)
@click.option("--out", "-O", type=PATH, help="File of judgments (SQLite).  [default: reviews/<folder>.sqlite]")
@click.option("--annotator", "annotators", multiple=True, default=("me",), show_default=True, metavar="NAME",
              help="Who judges; repeatable.")  # fmt: skip
@click.option("--overlap", type=float, default=0.2, show_default=True, help="Share of the items that everybody judges.")
@click.option("--split", "splits", multiple=True, help="Only rows of this split; repeatable.")
@click.option("--gold", type=PATH, help="Table of rows with a known answer: reference_id, target_id, modification, "
              "answer (accept or reject).")  # fmt: skip
@click.option("--embeddings", type=FOLDER, help="Embeddings of the videos: shows the neighbours of a target.")
@click.option("--videos", type=FOLDER, help="The videos, if the manifest no longer leads to them.")
@click.option("--pairs", type=FOLDER, help="The pairs, if the manifest of the texts no longer leads to them.")
@click.option("--media", type=FOLDER, multiple=True, help="Folder that links among the media may lead to; repeatable.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on; others than this machine "
              "need the token in the link.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes a free one.")
@click.option("--token/--no-token", "needs_token", default=None,
              help="Ask for the token on this machine too.  [default: where others have accounts]")  # fmt: skip
@seed_option
def review_command(
    reviewed: Path, out: Path | None, annotators: tuple[str, ...], overlap: float, host: str, port: int,
    needs_token: bool | None, seed: int, **shown: Any,
) -> None:  # fmt: skip
    """Serve a page on which people judge the texts of a folder of triplets or modification texts; Ctrl-C ends it.

    Each judgment is stored before the next item is shown, so any end loses nothing; run again to go on.

    Example: cvr review annotations/quickstart --split test --annotator ann --annotator ben
    """
    from cvr_data.review.listening import Address
    from cvr_data.review.serve import ReviewSources, Settings, serve_review

    sources = ReviewSources(reviewed=reviewed, **shown)
    settings = Settings(annotators=tuple(dict.fromkeys(annotators)), overlap=overlap, seed=seed)
    address = Address(host=host, port=port, needs_token=needs_token)
    serve_review(sources, out or Path("reviews") / f"{reviewed.name}.sqlite", settings, address, click.echo)
