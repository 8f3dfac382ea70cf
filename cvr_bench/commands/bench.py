"""Train models where they train, score them, and print one table."""

import json
from dataclasses import replace
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
    this_machine,
)


@click.command()
@click.option("--model", "-m", "models", multiple=True, required=True, help="A name of `cvr list models`; repeatable.")
@click.option("--data", "-d", help="Triplets folder or file, or a benchmark.  [default: the triplets built last]")
@click.option("--data-option", "-D", "data_options", multiple=True, metavar="KEY=VALUE", help="Of the benchmark.")
@click.option("--embeddings", "-e", type=FOLDER, help="Features of its videos.  [default: those it was made with]")
@click.option("--split", help="Split to score; train and val are for training.  [default: test]")
@click.option("--train-data", help="Triplets, or a benchmark, to train on.  [default: the data's own train split]")
@click.option("--distractors", multiple=True, type=FOLDER, help="Of `cvr mine-distractors`, to join the gallery.")
@click.option("--checkpoint", type=PATH, help="Trained weights: score them without training.")
@option_option
@click.option("--train-option", "-t", "train_options", multiple=True, metavar="KEY=VALUE", help="How to train.")
@click.option("--audit/--no-audit", default=True, show_default=True, help="Ask again with an input or frames changed.")
@click.option("--save-scores", is_flag=True, help="Keep the score matrix, for `cvr compare --protocols`.")
@out_option("results", "Folder of results; each goes to <model>-<data> in it.")
@seed_option
@overwrite_option
@json_option
def bench(
    models: tuple[str, ...],
    data: str | None,
    data_options: tuple[str, ...],
    embeddings: Path | None,
    split: str | None,
    train_data: str | None,
    distractors: tuple[Path, ...],
    checkpoint: Path | None,
    options: tuple[str, ...],
    train_options: tuple[str, ...],
    audit: bool,
    save_scores: bool,
    out: Path,
    seed: int,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Train models where they train, score them, and print one table.

    Training uses the train split (of --train-data, where it is given; its features lie in the same --embeddings) and
    chooses the checkpoint on val; scores are of the test split. Without --data the triplets built last are taken, else
    the packaged sample. A benchmark is a name of `cvr list datasets`; its published files are where `cvr data-status`
    looks, or in the folder that is given: --data cirr -D annotations=CIRR.

    Example: cvr bench --model fdca --model sum
    """
    from cvr_bench.audit.record import audit_of
    from cvr_bench.audit.tables import format_audits
    from cvr_bench.benchmarks import is_benchmark
    from cvr_bench.datasets.triplets import task_name
    from cvr_bench.result_table import format_results, format_slices
    from cvr_bench.run import Run, bench_all
    from cvr_bench.sources import choose_sources, with_distractors
    from cvr_bench.training_source import find_training

    if data is not None and is_benchmark(data):
        data_options = (f"annotations={this_machine().root(data.replace('_', '-'))}", *data_options)
    sources = with_distractors(choose_sources(data, data_options, embeddings, split), distractors)
    if train_data is not None:
        sources = replace(sources, training=find_training(train_data, this_machine().root))
    benchmark = sources.benchmark
    scored, name = (benchmark.split, benchmark.label) if benchmark else (split or "test", task_name(sources.data))
    click.echo(
        f"Scoring {scored} of {sources.data} ({sources.choice}), features from {sources.embeddings}", err=as_json
    )
    run = Run(
        model="", options=options, train_options=train_options, checkpoint=checkpoint, split=scored, seed=seed,
        save_scores=save_scores, audit=audit,
    )  # fmt: skip
    runs = [replace(run, model=model) for model in models]
    results = bench_all(runs, sources, out, name, overwrite=overwrite)
    for result in results:
        if train_options and result.record["training"] is None:
            click.echo(f"{result.model} does not train; -t has no effect on it.", err=True)
    if as_json:
        click.echo(json.dumps([{"path": str(result.path), **result.record} for result in results], indent=1))
        return
    click.echo("\n" + format_results(results))
    slices = format_slices(results)
    audits = format_audits([audited for result in results if (audited := audit_of(result)) is not None])
    click.echo("\n" + "\n\n".join(part for part in (slices, audits) if part) + "\n")
    for result in results:
        click.echo(f"{result.model}: {result.path}")
