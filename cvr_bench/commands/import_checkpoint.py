"""Bring a published checkpoint to a folder that models and encoders take."""

from pathlib import Path

import click

from cvr_data.commands.options import PATH, out_option, overwrite_option


@click.command()
@click.argument("file", type=PATH)
@click.option("--model", "-m", required=True, help="The model it is for, such as covr-blip.")
@click.option("--base", help="Folder or hub id of a model that has what the file lacks, such as the image network.")
@click.option("--tokenizer", help="Folder or hub id of its tokenizer.  [default: the base's, else BERT's]")
@out_option("checkpoint")
@overwrite_option
def import_checkpoint_command(
    file: Path, model: str, base: str | None, tokenizer: str | None, out: Path, overwrite: bool
) -> None:
    """Rename the weights in FILE (.ckpt, .pt, .pth or .safetensors) and write them as a folder of transformers.

    The folder serves the encoder (cvr embed -o model=FOLDER) and the model (cvr bench --checkpoint FOLDER) alike. Known
    files have names, which fetch and import them by themselves: cvr list checkpoints.

    Example: cvr import-checkpoint webvid-covr.ckpt --model covr-blip -O covr
    """
    from cvr_bench.checkpoints.import_checkpoint import Given, import_checkpoint

    given = Given(base=base, tokenizer=tokenizer)
    manifest = import_checkpoint(file, model, out, given, overwrite=overwrite).manifest
    click.echo(
        f"{out}: {manifest['weights']} weights, {manifest['numbers']:,} numbers, for {manifest['config']['model']}"
    )
