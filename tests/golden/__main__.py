"""Print one line per output of golden files; exit code 1 beyond a tolerance, 2 for a file that is none."""

import sys
from pathlib import Path

import click

from cvr_data.core.errors import CvrError
from tests.golden import Check, check


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def main(files: tuple[Path, ...]) -> None:
    """Compare our models with the reference numbers in FILES (.npz)."""
    try:
        checks = [(file, check(file)) for file in files]
    except CvrError as error:
        click.echo(f"golden: {error}", err=True)
        sys.exit(2)
    for file, found in checks:
        click.echo(f"{file}")
        click.echo("".join(f"{line}\n" for line in lines(found)), nl=False)
    sys.exit(0 if all(each.passed for _, found in checks for each in found.comparisons) else 1)


def lines(found: Check) -> list[str]:
    """Return a line per output: name, largest error, tolerance, verdict."""
    width = max((len(each.name) for each in found.comparisons), default=0)
    shown = [
        f"  {each.name:<{width}}  max error {each.error:.2e}  tolerance {each.tolerance:.0e}  "
        f"{'ok' if each.passed else 'FAILED'}"
        for each in found.comparisons
    ]
    prefixes = sorted({name.split(".")[0] for name in found.unchecked})
    return [*shown, f"  not checked: {', '.join(prefixes)}"] if prefixes else shown


if __name__ == "__main__":
    main(prog_name="python -m tests.golden")
