"""Find videos by a clip they are like, by a text, or by both."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, PATH, NameOf, json_option, option_option


@click.command()
@click.argument("videos", type=FOLDER, default="videos")
@click.option("--embeddings", "-e", type=FOLDER, default="embeddings", show_default=True, help="Features of VIDEOS.")
@click.option("--like", metavar="ID|FILE", help="A video of VIDEOS, or a media file.")
@click.option("--text", "texts", multiple=True, help="What should be different, or be seen; repeatable.")
@click.option("--not", "without", multiple=True, help="What should not be true; repeatable.")
@click.option("--model", "-m", "name", default="sum", show_default=True, type=NameOf("models"), help="Who ranks.")
@click.option("--checkpoint", type=PATH, help="Its trained weights, such as results/fdca-mine.")
@option_option
@click.option("--count", "-n", type=click.IntRange(1), default=10, show_default=True, help="How many to print.")
@json_option
def search_command(
    videos: Path, embeddings: Path, like: str | None, texts: tuple[str, ...], without: tuple[str, ...], name: str,
    checkpoint: Path | None, options: tuple[str, ...], count: int, as_json: bool,
) -> None:  # fmt: skip
    """Find in VIDEOS what is like a clip but as a text says, with the score of each input by itself.

    Example: cvr search videos --like test-00017 --text "make it red" --not "a cube"
    """
    from cvr_bench.search.library import open_search_library
    from cvr_bench.search.question import Question, SearchModel
    from cvr_bench.search.searcher import search

    library = open_search_library(videos, embeddings)
    question = Question(like=like, texts=texts, without=without)
    found = search(library, question, SearchModel(name=name, options=options, checkpoint=checkpoint), count)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=1))
        return
    click.echo(f"{'':>3}  {'score':>7}  {'by text':>7}  {'by video':>8}  video")
    for place, each in enumerate(found, 1):
        halves = ["-" if value is None else f"{value:.3f}" for value in (each.by_text, each.by_video)]
        click.echo(f"{place:>3}  {each.score:>7.3f}  {halves[0]:>7}  {halves[1]:>8}  {each.video_id}: {each.caption}")
