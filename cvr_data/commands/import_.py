"""Read captioned videos, or triplets, of any kind."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cvr_data.commands.options import (
    PLACE,
    NameOf,
    command_engine_options,
    command_options_with_machine,
    json_option,
    option_option,
    out_option,
    overwrite_option,
)
from cvr_data.core.nothing_left import empty_artifact_lines

if TYPE_CHECKING:
    from cvr_data.core.artifacts import Artifact


@click.command()
@click.argument("corpus", type=NameOf("corpora"))
@click.argument("sources", nargs=-1, type=PLACE)
@option_option
@command_engine_options
@out_option("videos", anywhere=True)
@overwrite_option
@json_option
def import_command(
    corpus: str, sources: tuple[Path, ...], options: tuple[str, ...], out: Path, overwrite: bool, as_json: bool
) -> None:
    """Read the videos of CORPUS (see `cvr list corpora`) from the file or folder SOURCES, which one is `-o path=`.

    Each of several is read to OUT-1, OUT-2 and so on, and all are merged into OUT; to add one, name all again.

    `cvr import triplets SOURCE -o format=NAME` reads published triplets instead (see `cvr list formats`).

    Example: cvr import synthetic --out videos -o train=400
    """
    if corpus == "triplets":
        if len(sources) > 1:
            raise click.UsageError(
                "triplets are read from one place; `cvr build-triplets` takes several folders of texts."
            )
        _import_triplets(sources[0] if sources else None, options, out, overwrite, as_json)
        return
    if len(sources) < 2:
        artifact = _import_videos(
            corpus, [f"path={source}" for source in sources], options, out, overwrite, tells=not as_json
        )
        if as_json:
            _tell_import(out, artifact.manifest, "videos", as_json)
        return
    from cvr_data.videos.merge_videos import merge_videos

    parts = [out.with_name(f"{out.name}-{number}") for number in range(1, len(sources) + 1)]
    for source, part in zip(sources, parts, strict=True):
        _import_videos(corpus, [f"path={source}"], options, part, overwrite, tells=not as_json)
    _tell_import(out, merge_videos(parts, out, overwrite=overwrite).manifest, "videos", as_json)


def _import_videos(
    corpus: str, source: list[str], options: tuple[str, ...], out: Path, overwrite: bool, *, tells: bool
) -> "Artifact":
    from cvr_data.core.whole_files import read_parquet
    from cvr_data.videos.corpora import CORPORA
    from cvr_data.videos.import_videos import import_videos

    options = command_options_with_machine(CORPORA.get(corpus).Config, (*source, *options))
    artifact = import_videos(CORPORA.get(corpus), CORPORA.config(corpus, options), out, overwrite=overwrite)
    if not tells:
        return artifact
    manifest = artifact.manifest
    _tell_import(out, manifest, "videos", as_json=False)
    missing = sum(read_parquet(part, ["path"]).column(0).null_count for part in artifact.part_paths)
    if 0 < missing < manifest["rows"] or (missing and any(option.startswith("media=") for option in options)):
        click.echo(f"  {missing} without a media file")
    return artifact


def _import_triplets(source: Path | None, options: tuple[str, ...], out: Path, overwrite: bool, as_json: bool) -> None:
    from cvr_data.triplets.import_triplets import import_published_triplets, triplet_import_options

    wanted = triplet_import_options([*([f"path={source}"] if source is not None else []), *options])
    folder = Path("annotations") / wanted.source.stem if out == Path("videos") else out
    _tell_import(folder, import_published_triplets(wanted, folder, overwrite=overwrite).manifest, "triplets", as_json)


def _tell_import(folder: Path, manifest: dict[str, Any], rows: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(manifest, indent=1, sort_keys=True))
        return
    click.echo(f"{folder}: {manifest['rows']} {rows}, {manifest['seconds']:.1f} s")
    for reason, count in manifest["dropped"].items():
        click.echo(f"  dropped {count} {reason}")
    given = manifest.get("rows_read", 0) - sum(manifest["dropped"].values())
    if given > manifest["rows"]:
        click.echo(f"  {given} rows of the source are captions of these")
    if silent := manifest.get("without_caption"):
        click.echo(f"  {silent} without a caption, which cvr describe-videos {folder} --captions would write")
    _tell_languages(manifest.get("languages", {}))
    for line in empty_artifact_lines(folder, manifest):
        click.echo(line)


def _tell_languages(languages: dict[str, int]) -> None:
    """Say how many captions seem not to be English, which is what the models and rules here know."""
    others = {name: count for name, count in languages.items() if name != "en"}
    total, found = sum(languages.values()), sum(others.values())
    if found > total / 200:
        listed = ", ".join(f"{name} {count / total:.1%}" for name, count in others.items())
        click.echo(
            f"  {found / total:.1%} of {total} captions looked at seem not to be English ({listed}); what reads "
            "English only, and what to do: docs/data.md"
        )
