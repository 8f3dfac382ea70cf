"""Train and score models, and print one table."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Any

import click

from cvr_data.commands.options import (
    FOLDER,
    PATH,
    NameOf,
    command_machine,
    json_option,
    option_option,
    out_option,
    overwrite_option,
    seed_option,
)
from cvr_data.core.errors import CvrError

if TYPE_CHECKING:
    from cvr_bench.bench.bench_run import BenchRun
    from cvr_bench.data.choose import Chosen
    from cvr_bench.results.result import Result

SEEDS = 2**31
NAME = f"{ascii_letters}{digits}._-"
"""What a result may be called."""


def _checked_name(context: click.Context, option: click.Parameter, value: str | None) -> str:
    if value is not None and (not value or value.startswith(".") or not set(value) <= set(NAME)):
        raise CvrError(f"--name {value!r} should be letters, digits, '.', '_' and '-', as it names a folder.")
    return value or ""


@click.command()
@click.option(
    "--model",
    "-m",
    "models",
    type=NameOf("models"),
    multiple=True,
    required=True,
    help="A name of `cvr list models`; repeatable.",
)
@click.option(
    "--data",
    "--test",
    "-d",
    type=NameOf("benchmarks"),
    multiple=True,
    metavar="DATA",
    help="What to score; repeatable; see above.",
)
@click.option("--data-option", "-D", "data_options", multiple=True, metavar="KEY=VALUE", help="Of the benchmark.")
@click.option("--embeddings", "-e", type=FOLDER, help="Features of its videos.  [default: those it was made with]")
@click.option("--split", help="Split to score; train and val are for training.  [default: test]")
@click.option(
    "--train-data", multiple=True, metavar="DATA[=WEIGHT]",
    help="Triplets, or a benchmark, to train on; several are mixed.  [default: the data's own train split]",
)  # fmt: skip
@click.option("--distractors", multiple=True, type=FOLDER, help="Of `cvr mine-distractors`, to join the gallery.")
@click.option(
    "--checkpoint", type=PATH, help="Trained weights, or a name of `cvr list checkpoints`: scored without training."
)
@option_option
@click.option("--train-option", "-t", "train_options", multiple=True, metavar="KEY=VALUE", help="How to train.")
@click.option("--devices", type=click.IntRange(1), default=1, show_default=True, help="Processes here, a device each.")
@click.option("--nodes", type=click.IntRange(1), default=1, show_default=True, help="Machines that run this command.")
@click.option("--log-every", type=click.IntRange(0), help="Steps of training between rows of training-steps.csv.")
@click.option("--logger", "loggers", multiple=True, help="tensorboard or wandb, beside the CSV files; repeatable.")
@click.option("--allow-trained-generator", is_flag=True, help="Though what wrote the texts saw the scored videos.")
@click.option("--audit/--no-audit", default=True, show_default=True, help="Ask again with an input or frames changed.")
@click.option("--robustness", is_flag=True, help="Ask again with paraphrases, mistakes and texts of something else.")
@click.option("--save-scores", is_flag=True, help="Keep the score matrix, for `cvr compare --protocols`.")
@click.option("--name", callback=_checked_name, help="What the result of one model is called.  [default: its model]")
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="Seeds, from --seed on, each kept.")
@out_option("results", "Folder of results; each goes to <name>-<data> in it.")
@seed_option
@overwrite_option
@json_option
def bench_command(
    models: tuple[str, ...], data: tuple[str, ...], data_options: tuple[str, ...], embeddings: Path | None,
    split: str | None, train_data: tuple[str, ...], distractors: tuple[Path, ...], checkpoint: Path | None,
    options: tuple[str, ...], train_options: tuple[str, ...], devices: int, nodes: int, log_every: int | None,
    loggers: tuple[str, ...], seeds: int, out: Path, overwrite: bool, as_json: bool, **how: Any,
) -> int | None:  # fmt: skip
    """Train models where they train, score them, and print one table.

    Training uses the train split (of --train-data, where it is given; its features lie in the same --embeddings) and
    chooses the checkpoint on val; scores are of the test split. Without --data the triplets built last are taken, else
    the packaged sample. A benchmark is a name of `cvr list benchmarks`; its published files are where `cvr data-status`
    looks, or in the folder that is given: --data cirr -D annotations=CIRR. Several may be named, or all of them with
    --data all: each has a table of its own, and one that is not here costs a line. --data user/name takes triplets
    from the Hub.

    With --devices a batch is shared out among as many GPUs (processes of the CPU where there is none), and each of its
    triplets still has all others as negatives; see docs/training.md, also for several machines.

    Example: cvr bench --model fdca --model sum
    """
    from cvr_bench.bench.bench_run import BenchRun
    from cvr_bench.checkpoints.published import find_checkpoint_folder
    from cvr_bench.data.choose import choose_data
    from cvr_bench.data.sources import data_with_distractors
    from cvr_bench.data.training import find_data_mixture
    from cvr_bench.training.launch import first_training_process_first, leave_training_group

    _check_asked(models, how["seed"], seeds)
    if (code := _spread_over_devices(devices, nodes)) is not None:
        return code
    machine = command_machine()
    with first_training_process_first():
        chosen, lacking = choose_data(data, data_options, embeddings, split, machine)
        if len(models) == 1 and (checkpoint or options):
            checkpoint, options = find_checkpoint_folder(models[0], checkpoint, options, machine.root)
    often = [] if log_every is None else [f"log_every={log_every}"]
    told = (*train_options, *often, *([f"loggers={','.join(loggers)}"] if loggers else []))
    runs = [
        BenchRun(model=model, options=options, train_options=told, checkpoint=checkpoint, **how) for model in models
    ]
    training = find_data_mixture(train_data, machine.root) if train_data else None
    sources = [replace(data_with_distractors(one.sources, distractors), training=training) for one in chosen]
    chosen = [replace(one, sources=of_one) for one, of_one in zip(chosen, sources, strict=True)]
    found = _bench_each(runs, chosen, lacking, out, seeds=seeds, overwrite=overwrite, as_json=as_json)
    _end_bench(found, lacking, as_json=as_json, has_train_options=bool(train_options))
    leave_training_group()
    return None


def _check_asked(models: Sequence[str], seed: int, seeds: int) -> None:
    """Refuse what cannot be before anything is read. Raises CvrError: no such model, or seeds that run out."""
    from cvr_bench.models import MODELS

    for model in models:
        MODELS.get(model)
    if seed + seeds > SEEDS:
        raise CvrError(f"--seeds {seeds} from --seed {seed} on goes beyond the last seed, {SEEDS - 1}.")


def _bench_each(
    runs: "Sequence[BenchRun]", chosen: "Sequence[Chosen]", lacking: list[str], out: Path, **how: Any
) -> "list[Result]":
    """Score the models on each data set; one that cannot be scored becomes a line of `lacking`, unless it is alone."""
    from cvr_bench.data.choose import data_not_scored

    found = []
    for one in chosen:
        try:
            found += _bench_one(runs, one, out, **how)
        except CvrError as error:
            if len(chosen) + len(lacking) == 1:
                raise
            lacking.append(data_not_scored(one.name, error))
    return found


def _bench_one(
    runs: "Sequence[BenchRun]", chosen: "Chosen", out: Path, *, seeds: int, overwrite: bool, as_json: bool
) -> "list[Result]":
    """Score the models on one data set and show the tables."""
    from cvr_bench.bench.bench import bench_all

    sources = chosen.sources
    click.echo(
        f"Scoring {chosen.split} of {sources.data} ({sources.choice}), features from {sources.embeddings}", err=as_json
    )
    runs = [replace(run, split=chosen.split) for run in runs]
    results = bench_all(runs, sources, out, chosen.name, seeds=seeds, overwrite=overwrite)
    if results and not as_json:
        _show_results(results)
        _show_robustness(results if runs[0].robustness else [])
    return results


def _show_robustness(results: "Sequence[Result]") -> None:
    from cvr_bench.audit.robustness import FOLDER as ROBUSTNESS
    from cvr_bench.audit.robustness import RECORD, audit_robustness_lines
    from cvr_bench.results.method import compared_result_labels
    from cvr_data.core.annotation_files import read_json

    for label, result in zip(compared_result_labels(results), results, strict=True):
        click.echo("\n".join(audit_robustness_lines(label, read_json(result.path / ROBUSTNESS / RECORD, dict))))


def _spread_over_devices(devices: int, nodes: int) -> int | None:
    """Become one of several processes, or start them and return their exit code; None where there is work to do."""
    from cvr_bench.training.launch import (
        join_training_group,
        start_training_processes,
        training_process_place_given,
        training_process_places,
    )

    place = training_process_place_given(os.environ, devices * nodes)
    if place is not None and place.world_size > 1:
        join_training_group(place)
    elif place is None and devices * nodes > 1:
        arguments = click.get_current_context().find_root().obj
        return start_training_processes(training_process_places(os.environ, devices, nodes), arguments)
    return None


def _show_results(results: "Sequence[Result]") -> None:
    """Print the tables of one data set."""
    from cvr_bench.audit.record import audit_of
    from cvr_bench.report.audit_tables import report_audits_table
    from cvr_bench.report.beside import beside_report_table
    from cvr_bench.report.tables import report_results_table, report_slices_table
    from cvr_bench.results.method import compared_result_labels, method_result_rows, methods_of_results
    from cvr_bench.results.text_table import result_text_table
    from cvr_bench.scoring.cost import scoring_cost_line

    click.echo("\n" + report_results_table(results))
    if methods := methods_of_results(results):
        click.echo("\n" + result_text_table(method_result_rows(methods)))
    beside, slices = beside_report_table(results), report_slices_table(results)
    audits = report_audits_table([audited for result in results if (audited := audit_of(result)) is not None])
    click.echo("\n" + "\n\n".join(part for part in (beside, slices, audits) if part) + "\n")
    for label, result in zip(compared_result_labels(results), results, strict=True):
        click.echo(f"{label}: {result.path}")
        if "cost" in result.record:
            click.echo(f"  {scoring_cost_line(result.record['cost'])}")


def _end_bench(found: "Sequence[Result]", lacking: Sequence[str], *, as_json: bool, has_train_options: bool) -> None:
    """Say what was not scored, and print everything as JSON where that is asked for; the first process alone does."""
    from cvr_bench.models.parts.processes import is_first_model_process

    if not is_first_model_process():
        return
    if has_train_options and all(result.record["training"] is None for result in found):
        for result in found:
            click.echo(f"{result.model} does not train; -t has no effect on it.", err=True)
    for line in lacking:
        click.echo(line, err=True)
    if not found:
        raise CvrError(f"Nothing was scored; {len(lacking)} data sets cannot be, as said above.")
    if as_json:
        click.echo(json.dumps([{"path": str(result.path), **result.record} for result in found], indent=1))
