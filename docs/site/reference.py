"""The pages that nobody writes: functions from their docstrings, commands and components from what cvr prints."""

import inspect
import re
from collections.abc import Iterator

import click
from click.testing import CliRunner

import cli
from cvr_bench.families import FILES, PACKAGES, families, family_summaries
from docs.site.places import page_names

FUNCTIONS = """\
# Functions

What a notebook calls. Each is the command of the same name, on frames of pandas instead of folders.

```{eval-rst}
.. automodule:: cvr_data
   :members:
   :ignore-module-all:

.. automodule:: cvr_bench
   :members:
   :ignore-module-all:
```
"""
PAGE = re.compile(r"\bdocs/[a-z-]+\.md")
SPECIAL = re.compile(r"([<>*\[\]{}|$])")


def reference_pages() -> dict[str, str]:
    """Return site path -> Markdown of the reference; those right below its folder stand in the side bar."""
    kinds = [*PACKAGES, *FILES]
    return {
        "reference/functions.md": FUNCTIONS,
        "reference/commands.md": _commands(),
        "reference/components.md": _components(kinds),
        **{f"reference/commands/{name}.md": command_page(name) for name in cli.command_files()},
        **{f"reference/components/{kind}.md": components_page(kind) for kind in kinds},
    }


def _commands() -> str:
    summaries = cli.group.summaries()
    parts = ["# Commands\n\nWhat `cvr COMMAND --help` says of each.\n"]
    for title, names in {"every day": cli.EVERY_DAY, **cli.GROUPS}.items():
        rows = [f"| [`cvr {name}`](commands/{name}.md) | {escaped(summaries[name])} |" for name in names]
        parts.append(f"## {title.capitalize()}\n\n| command | |\n|---|---|\n" + "\n".join(rows) + "\n")
    names = [name for names in (cli.EVERY_DAY, *cli.GROUPS.values()) for name in names]
    return "\n".join(parts) + _tree("commands", names)


def command_page(name: str) -> str:
    """Return what `cvr NAME --help` says as a page."""
    command = cli.group.get_command(click.Context(cli.group), name)
    assert command is not None
    context = click.Context(command, info_name=f"cvr {name}", parent=None)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    told = [f"# cvr {name}\n", f"    {usage}\n", *_paragraphs(inspect.cleandoc(command.help or ""))]
    records = [record for each in command.get_params(context) if (record := each.get_help_record(context))]
    told.append("## Options\n")
    told += [f"`{option}`\n: {escaped(help) or '&nbsp;'}\n" for option, help in records]
    page = cli.page_of_command(name)
    return "\n".join([*told, f"More about it: [{page}](../../{page_names()[page]}).\n"])


def _paragraphs(help_text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; examples, which stand one beneath the other, as what one types."""
    for paragraph in help_text.split("\n\n"):
        line = " ".join(paragraph.replace("\b", "").split())
        example = line.removeprefix("Example: ")
        told = PAGE.sub(lambda match: f"[{match[0]}](../../{page_names()[match[0]]})", escaped(line))
        yield f"{told}\n" if example == line else f"Example:\n\n    $ {example}\n"


def _components(kinds: list[str]) -> str:
    rows = [f"| [{kind}](components/{kind}.md) | {len(family_summaries(kind))} |" for kind in kinds]
    head = "# Components\n\nWhat `cvr list` names and `cvr show NAME` explains, with all options (`-o key=value`).\n"
    return f"{head}\n| kind | how many |\n|---|---|\n" + "\n".join(rows) + "\n" + _tree("components", kinds)


def components_page(kind: str) -> str:
    """Return what `cvr show NAME` says of each member of a family."""
    parts = [f"# {kind.capitalize()}\n"]
    for name, summary in family_summaries(kind).items():
        told = families()[kind].describe(name) if kind in PACKAGES else _shown(name) or summary
        parts.append(f"## {name}\n\n```text\n{told.strip()}\n```\n")
    return "\n".join(parts)


def _shown(name: str) -> str:
    done = CliRunner().invoke(cli.group, ["show", name])
    return done.output if done.exit_code == 0 else ""  # a checkpoint is listed and has no more to show


def _tree(folder: str, names: list[str] | tuple[str, ...]) -> str:
    return "\n```{toctree}\n:hidden:\n\n" + "\n".join(f"{folder}/{name}" for name in names) + "\n```\n"


def escaped(text: str) -> str:
    """Return words of a help text as Markdown, in which `code` stays code."""
    pieces = re.split(r"(`[^`]+`)", " ".join(text.split()))
    return "".join(
        piece if piece.startswith("`") and len(piece) > 1 else SPECIAL.sub(r"\\\1", piece) for piece in pieces
    )
