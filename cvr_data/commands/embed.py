"""Encode the frames and captions of videos."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cvr_data.commands.options import (
    PLACE,
    NameOf,
    command_engine_options,
    command_options_with_machine,
    option_option,
    out_option,
    overwrite_option,
)
from cvr_data.core.errors import CvrError
from cvr_data.core.nothing_left import first_detail

if TYPE_CHECKING:
    from cvr_data.features.embed import Selection


@click.command()
@click.argument("source", type=PLACE)
@click.option(
    "--encoder", default="embedded", show_default=True, type=NameOf("encoders"), help="See `cvr list encoders`."
)
@click.option("--column", help="Embed this text column of SOURCE, and no videos.")
@click.option("--only", type=PLACE, help="Embed only the videos whose ids are in this CSV file.")
@click.option("--frames", help="Frames per video, at most; CoVR takes 15, uniform.")
@click.option("--sampler", help="uniform, middle, first, per-second (as DRL), fps@2 (two a second), mteb or mteb@2.")
@click.option("--all-tokens", is_flag=True, help="Store every token of a frame too, where the encoder gives them.")
@click.option("--dtype", help="Type of the encoder's products: auto, bfloat16, float16 or float32.")
@click.option("--batch-size", help="Frames or texts that go through the network at once.")
@click.option("--device", help="auto, cpu or cuda; several, as cuda:0,cuda:1, share the work, a process on each.")
@click.option("--num-shards", type=click.IntRange(1), default=1, help="Share the work among runs; see `cvr merge`.")
@click.option("--shard-id", type=click.IntRange(0), default=0, help="Which share this run does, from 0.")
@click.option(
    "--dry-run", is_flag=True, help="Of a model that a server has: what would be asked, at most; ask nothing."
)
@click.option("--price-in", type=click.FloatRange(0), help="For --dry-run: price of a million tokens.")
@option_option
@command_engine_options
@out_option("embeddings", anywhere=True)
@overwrite_option
def embed_command(
    source: Path, encoder: str, column: str | None, only: Path | None, all_tokens: bool, num_shards: int,
    shard_id: int, dry_run: bool, price_in: float | None, options: tuple[str, ...], out: Path, overwrite: bool,
    device: str | None, **given: str | None,
) -> None:  # fmt: skip
    """Encode the frames and the distinct captions of the videos SOURCE; with --column, a text column of any table.

    SOURCE is a folder made by cvr or a table (CSV, TSV, JSONL or Parquet). Videos that cannot be read are listed in the
    folder with a reason, and the rest is embedded.

    Example: cvr embed videos --frames 15 --sampler uniform
    """
    if dry_run and num_shards > 1:
        raise CvrError("--dry-run tells the price of the whole: leave --num-shards and --shard-id.")
    if price_in is not None and not dry_run:
        raise CvrError("--price-in is the price that --dry-run reckons with: pass --dry-run.")
    from cvr_data.core.memory import keep_freed_memory
    from cvr_data.features.embed import Selection, embed
    from cvr_data.features.embed_devices import embed_on_devices
    from cvr_data.features.encoders import ENCODERS

    keep_freed_memory()
    options = (*(f"{name}={value}" for name, value in given.items() if value is not None), *options)
    selection = Selection(column=column, only=only, num_shards=num_shards, shard_id=shard_id, all_tokens=all_tokens)
    devices = device.split(",") if device else []
    if dry_run:
        _show_price(
            source, encoder, command_options_with_machine(ENCODERS.get(encoder).Config, options), selection, price_in
        )
        return
    if len(devices) > 1:
        options = command_options_with_machine(ENCODERS.get(encoder).Config, options)
        artifact = embed_on_devices(source, encoder, options, out, devices, selection=selection, overwrite=overwrite)
    else:
        options = command_options_with_machine(
            ENCODERS.get(encoder).Config, (*(f"device={name}" for name in devices), *options)
        )
        config = ENCODERS.config(encoder, options)
        artifact = embed(source, encoder, config, out, selection=selection, overwrite=overwrite)
    manifest = artifact.manifest
    click.echo(f"{out}: {manifest['videos']} videos, {manifest['texts']} texts, {manifest['seconds']:.1f} s")
    for reason, count in manifest["dropped"].items():
        click.echo(f"  dropped {count}: {reason}{first_detail(out, reason)}")


def _show_price(
    source: Path, encoder: str, options: tuple[str, ...], selection: "Selection", price_in: float | None
) -> None:
    from cvr_data.features.embed_price import price_of_embedding
    from cvr_data.features.encoders import ENCODERS
    from cvr_data.features.encoders.networks.remote_model import IMAGE_TOKENS

    found = price_of_embedding(source, ENCODERS.config(encoder, options), selection, price_in)
    how = "as earlier requests had them" if found.is_measured else f"{IMAGE_TOKENS} a frame"
    cost = "" if found.cost is None else f", {found.cost:.2f} at {price_in:g} a million"
    click.echo(
        f"{found.videos} videos and {found.texts} texts: {found.videos + found.texts} requests at most, about "
        f"{found.tokens} tokens ({how}){cost}\n"
        "What the request cache knows is not asked for; cvr bench asks once more for each query."
    )
