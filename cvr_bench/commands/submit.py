"""Write, or check, the file that a benchmark's server takes: CIRR, CIRCO, CoVR-R, the CVPR 2025 VidLLM challenge."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, PATH, NameOf, command_machine, option_option
from cvr_data.core.errors import CvrError


@click.command()
@click.argument("benchmark", type=NameOf("benchmarks"))
@click.option("--model", "-m", help="A name of `cvr list models`.")
@click.option("--checkpoint", type=PATH, help="Trained weights; a result folder gives its options too.")
@click.option("--embeddings", "-e", type=FOLDER, help="Features of its videos or images.  [default: this machine's]")
@click.option("--data-option", "-D", "data_options", multiple=True, metavar="KEY=VALUE", help="Of the benchmark.")
@option_option
@click.option("--out", "-O", type=PATH, help="File to write, such as cirr.json or challenge.npy.")
@click.option("--check", type=PATH, metavar="FILE", help="Only check a file.")
def submit_command(
    benchmark: str, model: str | None, checkpoint: Path | None, embeddings: Path | None, data_options: tuple[str, ...],
    options: tuple[str, ...], out: Path | None, check: Path | None,
) -> None:  # fmt: skip
    """Write what the server of BENCHMARK takes, after the checks that it makes; nothing is sent.

    cirr gives two files, for recall and recall_subset; circo one; dense-webvid-covr the query embeddings of the
    challenge's 1,000 rows, whose width is that of its BLIP gallery; covr-r (-D videos=FOLDER) 50 videos per query.

    Example: cvr submit cirr --model sum -e embeddings -O cirr.json
    """
    from cvr_bench.submit.submit import check_submission, submission_server, write_submission_answers

    machine, name = command_machine(), benchmark.replace("_", "-")
    data_options = (f"annotations={machine.root(name)}", *data_options)
    if check is not None:
        click.echo(
            f"{check}: {check_submission(benchmark, data_options, check)}; {submission_server(name)} would take it."
        )
        return
    if model is None or out is None:
        raise CvrError("submit takes --model and --out, or --check FILE.")
    from cvr_bench.checkpoints.published import find_checkpoint_folder
    from cvr_bench.models.parts.trained import scoring_model
    from cvr_bench.submit.encode import features_to_submit

    checkpoint, options = find_checkpoint_folder(model, checkpoint, options, machine.root)
    retriever = scoring_model(model, options, checkpoint, features_to_submit(name, embeddings, machine))
    for path in write_submission_answers(benchmark, data_options, retriever, out):
        click.echo(f"{path}: {check_submission(benchmark, data_options, path)}; {path.stat().st_size:,} bytes.")
