"""Learn the space in which frames and captions meet."""

import json
from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, command_own_options, json_option, overwrite_option
from cvr_data.core.errors import CvrError


def _config() -> type:
    from cvr_data.features.fit_heads import Config

    return Config


@click.command()
@click.argument("embeddings", type=FOLDER, default="embeddings")
@click.option("--videos", type=FOLDER, help="Captions and splits; by default what the embeddings were made from.")
@click.option("--from", "source", type=FOLDER, help="Take the heads of these embeddings instead of fitting any.")
@command_own_options(_config)
@overwrite_option
@json_option
def fit_heads_command(
    embeddings: Path, videos: Path | None, source: Path | None, options: tuple[str, ...], overwrite: bool, as_json: bool
) -> None:
    """Fit two small heads to the train split of EMBEDDINGS, and report text-to-video R@K on the val split.

    The heads are written into EMBEDDINGS/heads; from then on its features are read in their space. A corpus too small
    to learn from takes those of a larger one, embedded by the same encoders: --from OTHER_EMBEDDINGS.

    Example: cvr fit-heads embeddings --videos videos-split
    """
    from cvr_data.core.artifacts import open_artifact
    from cvr_data.core.registry import parse_config
    from cvr_data.features.fit_heads import Config, copy_heads, fit_heads

    if source is not None:
        if videos is not None or options:
            raise CvrError("--from takes heads as they are; --videos and -o belong to fitting.")
        click.echo(f"{copy_heads(embeddings, source, overwrite=overwrite).path}: the heads of {source}")
        return
    captioned = videos or open_artifact(embeddings, "embed").input_path("videos")
    artifact = fit_heads(embeddings, captioned, parse_config(Config, options, where="fit-heads"), overwrite=overwrite)
    report = artifact.manifest["report"]
    if as_json:
        click.echo(json.dumps(report, indent=1, sort_keys=True))
        return
    trained = artifact.manifest["trained_on"]["videos"]
    click.echo(f"{artifact.path}: fitted on {trained} train videos in {artifact.manifest['seconds']:.1f} s")
    if not report["queries"]:
        click.echo("text to video: not measured, as no caption was held out")
        return
    # A manifest that is read again has its keys in alphabetical order, R@10 before R@5.
    recalls = sorted((name for name in report if name.startswith("R@")), key=lambda name: int(name[2:]))
    scores = "  ".join(f"{name} {report[name]}" for name in recalls)
    click.echo(
        f"text to video ({report['split']}): {scores}  ({report['queries']} captions, {report['gallery']} videos)"
    )
