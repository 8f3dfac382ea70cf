"""The `cvr` command: a lazy click group over the two commands/ folders. No logic lives here."""

import os
import sys
import types

INTERRUPTED = "cvr: interrupted; run the same command again to resume."
IS_PROGRAM = __name__ == "__main__" or os.path.basename(sys.argv[0]) in ("cvr", "cvr.exe", "-c")  # noqa: PTH119
"""Whether this is not imported by another program."""


def _stop(*_: object) -> None:
    """End here and now: there is no command that could clear up, and an error in an import may come out as another."""
    os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(130)


def _tell(kind: type[BaseException], error: BaseException, trace: types.TracebackType | None) -> None:
    """Say in one line that Ctrl-C came before anybody heard it."""
    if issubclass(kind, KeyboardInterrupt):
        _stop()
    sys.__excepthook__(kind, error, trace)


if IS_PROGRAM:
    sys.excepthook = _tell
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a job in the background has a deaf ear
        signal.signal(signal.SIGINT, _stop)

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from cvr_data.core.command_line import command
from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.core.plain_output import escaped_terminal_text, plain_stdout, shortened_output_line
from cvr_data.core.secrets_in_text import mask_secrets

PACKAGES = ("cvr_data", "cvr_bench")
OF_THE_SYSTEM = (2, 5, 13, 17, 20, 21, 24, 27, 28, 30, 36, 39, 40, 122)
"""Numbers of errors that tell of a file or a disk and of no mistake in here: a name that is too long, a loop, ..."""
LONGEST_PATH = 300
EVERY_DAY = (
    "quickstart", "status", "import", "embed", "split", "mine-pairs", "generate-modifications", "build-triplets",
    "bench", "publish",
)  # fmt: skip
GROUPS = {
    "videos": (
        "download", "data-status", "filter-videos", "describe-videos", "cut", "merge", "import-embeddings",
        "export-embeddings", "fit-heads", "check-media",
    ),
    "pairs": ("calibrate", "why-not", "chain-pairs", "mine-distractors"),
    "texts": ("sample", "score-modifications", "vary-texts", "train-generator", "truth-modifications"),
    "triplets": (
        "plan", "stats", "map", "explain", "diff", "frame-scores", "review", "review-report", "export-judgments",
        "export", "find-positives",
    ),
    "results": (
        "compare", "report", "audit", "queries", "explain-query", "published", "submit", "encode-queries", "score",
        "export-result", "import-checkpoint", "two-way", "show-wti",
    ),
    "any": ("search", "serve", "run", "list", "show", "trace", "verify"),
}  # fmt: skip
"""What `cvr --help` shows: every command once, those that everybody uses with what they are for."""
PAGES = {
    "tutorial-build": ("quickstart", "status", "import", "embed", "split", "fit-heads", "mine-pairs", "stats", "map"),
    "tutorial-bench": ("bench", "compare", "report", "queries", "explain-query", "score"),
    "tutorial-search": ("search",),
    "data": ("download", "data-status", "cut", "merge", "import-embeddings", "export-embeddings", "calibrate",
             "why-not", "explain"),
    "media": ("check-media", "filter-videos"),
    "generation": ("generate-modifications", "describe-videos", "chain-pairs", "sample", "score-modifications",
                   "vary-texts", "train-generator", "truth-modifications", "plan"),
    "review": ("review", "review-report", "export-judgments"),
    "search": ("serve",),
    "publishing": ("build-triplets", "publish", "diff", "export"),
    "audits": ("audit", "find-positives", "mine-distractors"),
    "benchmarks": ("export-result", "two-way", "list", "show"),
    "reproduce": ("published", "run"),
    "from-covr": ("submit", "encode-queries", "frame-scores", "show-wti"),
    "checkpoints": ("import-checkpoint",),
    "file-formats": ("trace", "verify"),
}  # fmt: skip
"""Page of docs/ -> the commands that it tells more about; each command's `--help` names it."""


class LazyGroup(click.Group):
    """Finds a command by its file name and imports only the one that runs."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted(command_files())

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return the command, importing its file."""
        from cvr_data.commands.options import command_refusing_nan

        files = command_files()
        if name not in files:
            return None
        found = getattr(import_module(files[name]), f"{name.replace('-', '_')}_command")
        found.epilog = f"More: {page_of_command(name)}"
        command_refusing_nan(found)
        return found

    def summaries(self) -> dict[str, str]:
        """Return name -> first docstring line of every command, without importing any."""
        return {name: _summary(module) for name, module in sorted(command_files().items())}

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command to run, or end in one line that names the nearest ones."""
        if args and not args[0].startswith("-") and args[0] not in command_files():
            raise CvrError(f"Unknown command {args[0]!r}. {did_you_mean(args[0], command_files())}")
        return super().resolve_command(context, args)

    def members(self, kind: str) -> dict[str, str]:
        """Return name -> summary of a family of components, or of the families themselves."""
        from cvr_bench.families import family_kinds, family_summaries

        return dict.fromkeys(family_kinds(), "") if kind == "families" else family_summaries(kind)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the everyday commands with their summaries, and the names of all others by what they work on."""
        with formatter.section("Commands of every day"):
            formatter.write_dl([(name, _summary(command_files()[name])) for name in EVERY_DAY])
        with formatter.section("And (`cvr list commands` tells what each is for)"):
            formatter.write_dl([(title, " ".join(names)) for title, names in GROUPS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="cvr", message="cvr %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option("--machine", envvar="CVR_MACHINE", help="Section of the settings file; see `cvr data-status`.")
@click.option("--trust", multiple=True, metavar="NAME", help="Code outside cvr that a file names, such as an encoder.")
def group(debug: bool, machine: str | None, trust: tuple[str, ...]) -> None:
    """Build composed-video-retrieval datasets and benchmark models on them.

    Example: cvr quickstart
    """


def main(args: list[str] | None = None) -> None:
    """Run the command line; a user's mistake is one line and exit code 2, a mistake of ours 70, Ctrl-C is 130."""
    arguments = sys.argv[1:] if args is None else args
    # Threads that wait by spinning starve each other on a busy machine (docs/performance.md); torch reads it once.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with _heard_by_command():
        code = run(arguments)
    sys.exit(code)


@contextmanager
def _heard_by_command() -> Iterator[None]:
    """Let a command hear Ctrl-C as it is used to, so that it clears up; what the process does after it is short."""
    if not IS_PROGRAM or signal.getsignal(signal.SIGINT) is not _stop:
        yield
        return
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
    except KeyboardInterrupt:
        _stop(signal.SIGINT, None)
    finally:
        signal.signal(signal.SIGINT, _stop)


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code."""
    try:
        _check_words(arguments)
        with command(arguments) as made, plain_stdout(sys.stdout):
            result: Any = group.main(args=arguments, prog_name="cvr", standalone_mode=False, obj=tuple(arguments))
        _say_next(made, arguments)
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo(INTERRUPTED, err=True)
        return 130
    except BrokenPipeError:  # `cvr list | head`
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # what is still to be flushed goes nowhere
        return 141
    except Exception as error:
        if "--debug" in arguments:
            raise
        line, code = _line_of(error, arguments)
        click.echo(
            f"cvr: {shortened_output_line(escaped_terminal_text(mask_secrets(' '.join(line.split()))))}", err=True
        )
        return code


def _say_next(made: list[Path], arguments: list[str]) -> None:
    """Name the command that usually comes after what was made last."""
    if made and "--json" not in arguments:
        from cvr_data.core.folder_status import command_after_artifact

        if (line := command_after_artifact(made[-1])) is not None:
            click.echo(f"next: {escaped_terminal_text(line)}", err=True)


def _check_words(arguments: list[str]) -> None:
    """Refuse words that no manifest could hold, and no message either."""
    for word in arguments:
        if "\0" in word or any("\ud800" <= letter <= "\udfff" for letter in word):
            raise CvrError(f"{word!a} is no text in UTF-8; rename the file, or leave the word out.")


def _line_of(error: Exception, arguments: list[str]) -> tuple[str, int]:
    """What is said of an error, and the exit code: 2 for the user's mistakes, 70 for ours."""
    if isinstance(error, CvrError):
        return str(error), 2
    if isinstance(error, click.UsageError):
        where = error.ctx.command_path if error.ctx else "cvr"
        return f"{error.format_message()} See `{where} --help`.", 2
    if isinstance(error, click.ClickException):
        return error.format_message(), 2
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop from "):  # an OSError from 3.13 on
        return f"{error}; a link leads to itself.", 2
    if isinstance(error, OSError) and error.errno in OF_THE_SYSTEM:
        where = error.filename if isinstance(error.filename, str) else "disk"
        return f"{where[:LONGEST_PATH]}: {error.strerror}.", 2
    from cvr_data.core.failure_report import write_failure_report

    return write_failure_report(error, arguments), 70


def command_files() -> dict[str, str]:
    """Return name -> module of every file in the two commands/ folders that holds a command."""
    files = {}
    for package in PACKAGES:
        for path in (_folder(package) / "commands").glob("*.py"):
            if not path.stem.startswith("_") and path.stem != "options":
                files[path.stem.rstrip("_").replace("_", "-")] = f"{package}.commands.{path.stem}"
    return files


def page_of_command(name: str) -> str:
    """Return the file of docs/ that tells more about a command."""
    return next((f"docs/{page}.md" for page, names in PAGES.items() if name in names), "docs/index.md")


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise CvrError(f"The package {package} is not installed.")
    return Path(spec.origin).parent


def _summary(module: str) -> str:
    package, *inside = module.split(".")
    path = _folder(package).joinpath(*inside).with_suffix(".py")
    first_line = path.read_text(encoding="utf-8").split("\n", 1)[0]
    return first_line.strip('"').rstrip(".").strip()


if __name__ == "__main__":
    main()
