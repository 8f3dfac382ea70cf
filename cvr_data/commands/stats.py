"""Print what a dataset of triplets is made of, in numbers, or draw it on a page."""

import json
from pathlib import Path

import click

from cvr_data.commands.options import FOLDER_PLACE, PATH, LookUp, evidence_option, json_option, seed_option

KINDS = {"mine-pairs": "pairs", "generate-modifications": "texts"}
"""How a stage's name begins -> what its rows are; all others are triplets."""


def _kind_of_rows(stage: str) -> str:
    return next((kind for begin, kind in KINDS.items() if stage.startswith(begin)), "triplets")


@click.command(cls=LookUp)
@click.argument("triplets", type=FOLDER_PLACE)
@click.option(
    "--videos", type=FOLDER_PLACE, help="The videos, if the manifest of the triplets no longer leads to them."
)
@click.option("--html", type=PATH, help="Also write a page: funnel, distributions, triplets with playing clips.")
@evidence_option
@seed_option
@json_option
def stats_command(
    triplets: Path, videos: Path | None, html: Path | None, evidence: tuple[Path, ...], seed: int, as_json: bool
) -> None:
    """Print the numbers of the TRIPLETS folder: sizes, texts, changes, similarities, what splits share.

    Of pairs and of texts too, each counted as the triplet that it can become; a page (--html) is of triplets alone.
    Where the manifests lead to the texts, what went wrong in the answers of each model, too. --evidence adds what was
    found out after the build: right answers, typed distractors, other texts, queries that one input solves.

    Example: cvr stats annotations/quickstart --html stats.html
    """
    from cvr_data.core.lineage import lineage
    from cvr_data.modifications.counts import wrong_answers, wrong_answers_text
    from cvr_data.triplets.dataset import open_dataset, open_rows_as_triplets
    from cvr_data.triplets.evidence import triplet_evidence, triplet_evidence_rows
    from cvr_data.triplets.statistics import triplet_statistics, triplet_text_report

    dataset = open_rows_as_triplets(triplets) or open_dataset(triplets, videos=videos)
    numbers = triplet_statistics(dataset.triplets, dataset.videos)
    manifests = [artifact.manifest for artifact in lineage([triplets])]
    if answers := wrong_answers(manifests):
        numbers["answers"] = answers
    if evidence:
        numbers["evidence"] = triplet_evidence(evidence, dataset.triplets)
    if html is not None:
        from cvr_data.pages.page import write_page
        from cvr_data.pages.stats import stats_page, stats_page_html

        write_page(stats_page_html(stats_page(triplets, videos=videos, seed=seed, evidence=evidence)), html, "--html")
    click.echo(
        json.dumps(numbers, indent=1)
        if as_json
        else triplet_text_report(numbers, _kind_of_rows(dataset.artifact.stage))
    )
    for title, told in triplet_evidence_rows(numbers["evidence"]) if evidence and not as_json else ():
        click.echo(f"{title.capitalize():<20}{told}")
    if answers and not as_json:
        click.echo(f"\n{wrong_answers_text(manifests)}")
