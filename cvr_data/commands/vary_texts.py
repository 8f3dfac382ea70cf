"""Write other texts of accepted ones: paraphrases to train on, and wrong ones as hard negatives."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER_PLACE, command_engine_options, out_option, overwrite_option


@click.command()
@click.argument("modifications", type=FOLDER_PLACE)
@click.option("--pairs", type=FOLDER_PLACE, help="The pairs, if they are no longer where the texts were made from.")
@click.option("--kind", "kinds", multiple=True, help="Only texts of this kind; repeatable.  [default: all]")
@click.option("--split", "splits", multiple=True, help="Only texts of pairs of this split; repeatable.")
@out_option("modifications/varied", anywhere=True)
@command_engine_options
@overwrite_option
def vary_texts_command(
    modifications: Path, pairs: Path | None, kinds: tuple[str, ...], splits: tuple[str, ...], out: Path, overwrite: bool
) -> None:
    """Write, for every accepted text of MODIFICATIONS, other texts by rules, each executed on the captions.

    Paraphrases, misspelt and over-specified texts keep the target: they are ok, and build-triplets takes them. Negated,
    vague, irrelevant ones, no-ops (what the reference has) and contradictions (what it has not is taken back) do not:
    they are rejected with their kind as the reason, to be used as hard negatives.

    Example: cvr vary-texts modifications/short-rules --split train --kind paraphrase
    """
    from cvr_data.modifications.vary_texts import Config, vary_texts
    from cvr_data.triplets.statistics import triplet_counts_text

    chosen = Config(splits=splits, **({"kinds": kinds} if kinds else {}))
    artifact = vary_texts(modifications, out, chosen, pairs=pairs, overwrite=overwrite)
    status, reasons = (triplet_counts_text(artifact.manifest[name]) for name in ("status", "reasons"))
    click.echo(f"{out}: {artifact.manifest['rows']} texts, {status}; {reasons}")
