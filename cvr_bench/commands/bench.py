"""Train models where they train, score them, and print one table."""

import json
from pathlib import Path

import click

from cvr_data.commands.options import (
    FOLDER,
    PATH,
    json_option,
    option_option,
    out_option,
    overwrite_option,
    seed_option,
)


@click.command()
@click.option("--model", "-m", "models", multiple=True, required=True, help="A name of `cvr list models`; repeatable.")
@click.option("--data", "-d", type=PATH, help="Triplets folder or file.  [default: the triplets built last]")
@click.option("--embeddings", "-e", type=FOLDER, help="Features of its videos.  [default: those it was made with]")
@click.option("--split", default="test", show_default=True, help="Split to score; train and val are for training.")
@click.option("--checkpoint", type=PATH, help="Trained weights: score them without training.")
@option_option
@click.option("--train-option", "-t", "train_options", multiple=True, metavar="KEY=VALUE", help="How to train.")
@out_option("results", "Folder of results; each goes to <model>-<data> in it.")
@seed_option
@overwrite_option
@json_option
def bench(
    models: tuple[str, ...],
    data: Path | None,
    embeddings: Path | None,
    split: str,
    checkpoint: Path | None,
    options: tuple[str, ...],
    train_options: tuple[str, ...],
    out: Path,
    seed: int,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Train models where they train, score them, and print one table.

    Training uses the train split and chooses the checkpoint on val; scores are of the test split. Without --data the
    triplets built last are taken, else the packaged sample.

    Example: cvr bench --model fdca --model sum
    """
    from cvr_bench.datasets.triplets import task_name
    from cvr_bench.result_table import format_results, format_slices
    from cvr_bench.run import Run, bench_all
    from cvr_bench.sources import default_data, find_sources

    chosen, choice = (data, "--data") if data is not None else default_data(Path())
    sources = find_sources(chosen, choice, embeddings)
    click.echo(f"Scoring {split} of {sources.data} ({choice}), features from {sources.embeddings}", err=as_json)
    runs = [
        Run(model=model, options=options, train_options=train_options, checkpoint=checkpoint, split=split, seed=seed)
        for model in models
    ]
    results = bench_all(runs, sources, out, task_name(sources.data), overwrite=overwrite)
    for result in results:
        if train_options and result.record["training"] is None:
            click.echo(f"{result.model} does not train; -t has no effect on it.", err=True)
    if as_json:
        click.echo(json.dumps([{"path": str(result.path), **result.record} for result in results], indent=1))
        return
    click.echo("\n" + format_results(results))
    slices = format_slices(results)
    click.echo(("\n" + slices if slices else "") + "\n")
    for result in results:
        click.echo(f"{result.model}: {result.path}")
