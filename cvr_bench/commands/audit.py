"""Ask whether queries need both inputs, whether time matters, and what train and test share."""

import json
from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, PATH, json_option, overwrite_option, seed_option


@click.command()
@click.argument("target", type=PATH)
@click.option("--model", "-m", help="Ask this model, which needs no training, instead of plain scorers.")
@click.option("--split", help="Split of triplets.  [default: test]")
@click.option("--embeddings", "-e", type=FOLDER, help="Features of the triplets' videos.")
@click.option("--distractors", multiple=True, type=FOLDER, help="Mined ones, that join the gallery; repeatable.")
@click.option(
    "-k",
    type=click.IntRange(1),
    help="A query is answered within so many.  [default: 1 % of the gallery, of plain scorers without distractors]",
)
@click.option("--threshold", type=float, help="Cosine from which videos are near-duplicates.  [default: 0.95]")
@click.option("--text-threshold", type=float, help="Cosine from which texts are similar.  [default: 0.95]")
@click.option("--out", "-O", type=FOLDER, help="Folder to write for triplets.  [default: NAME-audit beside them]")
@seed_option
@overwrite_option
@json_option
def audit_command(
    target: Path, model: str | None, split: str | None, embeddings: Path | None, distractors: tuple[Path, ...],
    k: int | None, threshold: float | None, text_threshold: float | None, out: Path | None, seed: int, overwrite: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Audit TARGET: triplets, or a result of cvr bench.

    Of triplets, plain scorers that read one input each say which queries the text or the reference alone solves, in
    composition.parquet, and near-duplicates between train and the split are listed in leaks.parquet. With --model, and
    of a result, a model is asked again with one input alone, and with the frames of each video reduced to the middle
    one, shuffled and reversed. `cvr bench` audits every result it makes.

    Example: cvr audit annotations/quickstart
    """
    from cvr_bench.audit.leak import Config as LeakConfig
    from cvr_bench.audit.record import FOLDER as AUDIT_FOLDER
    from cvr_bench.audit.record import Config
    from cvr_bench.audit.run import AuditRun, audit_saved_result, audit_triplets, is_audited_result
    from cvr_bench.data.sources import data_with_distractors, find_data_sources
    from cvr_bench.report.audit_pool import report_pool_audit
    from cvr_bench.report.audit_tables import report_audits_table
    from cvr_data.core.errors import CvrError
    from cvr_data.core.registry import parse_config

    config = Config(k=k or 0, seed=seed)
    if is_audited_result(target):
        of_triplets = (model, split, embeddings, distractors or None, threshold, text_threshold, out)
        if any(option is not None for option in of_triplets):
            raise CvrError(f"{target} is a result, which knows its model and data; only -k and --seed belong to it.")
        found, folder = audit_saved_result(config, target, overwrite=overwrite), target / AUDIT_FOLDER
    else:
        sources = data_with_distractors(find_data_sources(target, "named", embeddings), distractors)
        run = AuditRun(model=model, split=split or "test")
        given = {"threshold": threshold, "text_threshold": text_threshold}
        leaks = parse_config(
            LeakConfig, {name: value for name, value in given.items() if value is not None}, where="audit"
        )
        folder, found = audit_triplets(config, leaks, sources, run, out, overwrite=overwrite)
    told = report_audits_table([found]) if found["model"] else report_pool_audit(found)
    click.echo(json.dumps({"path": str(folder), **found}, indent=1) if as_json else told)
    if not as_json:
        click.echo(f"\n{folder}")
