"""Search a library of videos in the browser: by a clip, a text, or both, again and again."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, PATH, NameOf, option_option

MB = 1_000_000


@click.command()
@click.argument("videos", type=FOLDER, default="videos")
@click.option("--embeddings", "-e", type=FOLDER, default="embeddings", show_default=True, help="Features of VIDEOS.")
@click.option("--model", "-m", "name", default="sum", show_default=True, type=NameOf("models"), help="Who ranks.")
@click.option("--checkpoint", type=PATH, help="Its trained weights, such as results/fdca-mine.")
@option_option
@click.option("--out", "-O", type=PATH, help="File of marks (SQLite).  [default: searches/<folder>.sqlite]")
@click.option("--annotator", default="me", show_default=True, metavar="NAME", help="Who marks.")
@click.option("--exact", is_flag=True, help="Look at all videos, even of more than a million.")
@click.option("--media", type=FOLDER, multiple=True, help="Folder that links among the media may lead to; repeatable.")
@click.option("--max-upload", type=click.IntRange(1, 10_000), default=100, show_default=True, metavar="MB",
              help="Largest clip that may be uploaded.")  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on; others than this machine "
              "need the token in the link.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=8766, show_default=True, help="0 takes a free one.")
@click.option("--token/--no-token", "needs_token", default=None,
              help="Ask for the token on this machine too.  [default: where others have accounts]")  # fmt: skip
def serve_command(
    videos: Path, embeddings: Path, name: str, checkpoint: Path | None, options: tuple[str, ...], out: Path | None,
    annotator: str, exact: bool, media: tuple[Path, ...], max_upload: int, host: str, port: int,
    needs_token: bool | None,
) -> None:  # fmt: skip
    """Serve a page that finds in VIDEOS what is like a clip but as a text says; Ctrl-C ends it.

    What is marked right or wrong is stored at once: `cvr export-judgments` makes judgments and texts of it.

    Example: cvr serve videos --embeddings embeddings
    """
    from cvr_bench.search.desk import SearchSources
    from cvr_bench.search.question import SearchModel
    from cvr_bench.search.serve import serve_search
    from cvr_data.review.listening import Address

    model = SearchModel(name=name, options=options, checkpoint=checkpoint)
    sources = SearchSources(
        videos=videos, embeddings=embeddings, model=model, media=media, max_upload=max_upload * MB, exact=exact
    )
    address = Address(host=host, port=port, needs_token=needs_token)
    out = out or Path("searches") / f"{videos.name}.sqlite"
    serve_search(sources, out, annotator, address, click.echo)
