"""Draw videos, and what changes between them, as points whose clips play"""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, PATH, seed_option


@click.command()
@click.argument("source", type=FOLDER)
@click.option("--embeddings", "-e", type=FOLDER, help="Features of the videos.  [default: those it was made with]")
@click.option("--videos", type=FOLDER, help="The videos, if the manifest of triplets no longer leads to them.")
@click.option("--method", type=click.Choice(["pca", "umap"]), default="pca", show_default=True, help="Where points go.")
@click.option("--clips", type=click.IntRange(0), default=300, show_default=True, help="Videos whose clips it holds.")
@click.option("--out", "-O", type=PATH, default="map.html", show_default=True, help="The page.")
@seed_option
def map_command(
    source: Path, embeddings: Path | None, videos: Path | None, method: str, clips: int, out: Path, seed: int
) -> None:
    """Write a page with a map of SOURCE, a folder of videos or triplets: near points look alike, clips play on hover.

    Of triplets there is a second map, of what changes: a point is the features of the target minus those of the
    reference, so texts that ask for the same change should lie together. Positions are principal components, or UMAP's
    (pip install 'cvr[umap]'). The page is one file and needs no network.

    Example: cvr map annotations/mine --out map.html

    Example: cvr map videos --embeddings embeddings --method umap
    """
    from cvr_data.core.lineage import follow
    from cvr_data.pages.embedding_map import MapConfig, map_html, map_page
    from cvr_data.pages.page import write_page

    features = embeddings or next(iter(follow(source, "embeddings")), Path("embeddings"))
    config = MapConfig(method=method, clips=clips, seed=seed)
    page = map_page(source, features, config, videos=videos)
    content = map_html(page)
    write_page(content, out)
    points = ", ".join(f"{len(layer.points_N2):,} points of {layer.name.lower()}" for layer in page.layers)
    click.echo(f"{out}: {len(content.encode()) / 1e6:.1f} MB, {points}, {len(page.shown):,} clips")
