"""Tell what a review came to: who judged how much, agreement, gold checks, reasons."""

import json
from pathlib import Path

import click

from cvr_data.commands.options import PATH, LookUp, json_option


@click.command(cls=LookUp)
@click.argument("review", type=PATH)
@json_option
def review_report_command(review: Path, as_json: bool) -> None:
    """Print the numbers of the review in the file REVIEW: Cohen's kappa, Krippendorff's alpha, gold checks, reasons.

    Example: cvr review-report reviews/quickstart.sqlite
    """
    from cvr_data.review.report import review_report, review_report_lines

    report = review_report(review)
    click.echo(json.dumps(report, indent=1, ensure_ascii=False) if as_json else "\n".join(review_report_lines(report)))
