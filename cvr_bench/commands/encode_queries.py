"""Write the query and gallery features of a model to files, as BSE-CoVR does before scoring."""

from pathlib import Path
from typing import Any

import click

from cvr_data.commands.options import FOLDER, PATH, command_machine, option_option, out_option, overwrite_option


@click.command()
@click.option("--model", "-m", required=True, help="A name of `cvr list models` whose score is a dot product.")
@click.option("--data", "-d", help="Triplets folder or file, or a benchmark.  [default: the triplets built last]")
@click.option("--data-option", "-D", "data_options", multiple=True, metavar="KEY=VALUE", help="Of the benchmark.")
@click.option("--embeddings", "-e", type=FOLDER, help="Features of its videos.  [default: those it was made with]")
@click.option("--split", help="Split to encode.  [default: test]")
@click.option("--checkpoint", type=PATH, help="Trained weights; a result folder gives its options too.")
@option_option
@out_option("features", "Folder to write.")
@overwrite_option
def encode_queries_command(
    model: str, checkpoint: Path | None, options: tuple[str, ...], out: Path, overwrite: bool, **data: Any
) -> None:
    """Write query_feat.npy, query_feat_txt_only.npy and gallery_feat.npy of a model; cvr score reads them.

    In query_feat_txt_only.npy the model is given only its text: its reference is a frame of zeros. The features of a
    split whose targets a server keeps are written by cvr submit.

    Example: cvr encode-queries --model sum --data dense-webvid-covr -e embeddings -O features
    """
    from cvr_bench.checkpoints.published import find_checkpoint_folder
    from cvr_bench.submit.encode import EncodeRun, encode_submission

    checkpoint, options = find_checkpoint_folder(model, checkpoint, options, command_machine().root)
    run = EncodeRun(model=model, options=options, checkpoint=checkpoint, **data)
    shapes = encode_submission(run, command_machine(), out, overwrite=overwrite)
    for name, shape in shapes.items():
        click.echo(f"{out / name}: {' x '.join(map(str, shape))}")
