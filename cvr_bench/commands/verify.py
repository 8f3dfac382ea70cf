"""Check that the files of a folder are as they were made, and that a result's numbers follow from its ranks."""

from pathlib import Path

import click

from cvr_data.commands.options import PLACE, LookUp


@click.command(cls=LookUp)
@click.argument("folders", nargs=-1, required=True, type=PLACE)
@click.option("--deep", is_flag=True, help="Also all that they were made from, file by file.")
def verify_command(folders: tuple[Path, ...], deep: bool) -> None:
    """Check every file of each of FOLDERS against the checksums in its manifest.

    Numbers, rules and task of a result are worked out again from its ranks, and the ranks from its score matrix where
    that was saved; neither the model nor a GPU is needed. With --deep, inputs that are gone, or are no longer what was
    used, are told as well.

    Example: cvr verify pairs annotations/quickstart
    """
    from cvr_data.core.artifacts import manifest_of, verify
    from cvr_data.core.errors import CvrError
    from cvr_data.core.lineage import lineage_problems

    damaged = []
    for folder in folders:
        problems = lineage_problems(folder) if deep else verify(folder)
        manifest, again = manifest_of(folder).manifest, ""
        if manifest["stage"] == "bench" and not problems:
            from cvr_bench.results.problems import checked_of_result, problems_of_result
            from cvr_bench.results.result import read_result

            result = read_result(folder)
            problems, again = problems_of_result(result), f", {', '.join(checked_of_result(result))} worked out again"
        state = "damaged" if problems else "good"
        click.echo(f"{folder}: {manifest['stage']}, {len(manifest['files'])} files{again}, {state}")
        for problem in problems:
            click.echo(f"  {problem}")
        damaged += [str(folder)] if problems else []
    if damaged:
        raise CvrError(f"Damaged: {', '.join(damaged)}; run the command in its manifest again with --overwrite.")
