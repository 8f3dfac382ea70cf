"""Options that several commands share."""

import inspect
import math
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from cvr_data.core.errors import CvrError
from cvr_data.core.machine import Machine, component_options, load_machine
from cvr_data.core.places import check_address, faults_of_place, is_remote, path_or_address
from cvr_data.core.reading import check_plain

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class PlainPath(click.Path):
    """A file or folder, or what is not there yet; no device, pipe or socket; an address where `anywhere` says so."""

    def __init__(self, *, file_okay: bool = True, anywhere: bool = False):
        super().__init__(path_type=Path, file_okay=file_okay)
        self.anywhere = anywhere

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path. Raises CvrError: it is something else, or an address that is not known or not reached."""
        if "\0" in str(value):
            raise CvrError(f"{value!r} is no path: it holds a NUL.")
        check_address(str(value))
        place = path_or_address(value)
        if not is_remote(place):
            check_plain(place)
            return super().convert(value, param, ctx)
        if not self.anywhere:
            raise CvrError(
                f"{value}: this command reads and writes it on disks only; docs/scale.md lists those that do not."
            )
        with faults_of_place(place):
            if place.exists() and place.is_file() and not self.file_okay:
                raise CvrError(f"{place} is a file, where a folder is needed.")
        return place


class NameOf(click.ParamType):
    """A name of a family of components, which a shell can complete; whether there is such a one the command says."""

    name = "name"

    def __init__(self, kind: str):
        self.kind = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the names that begin so, each with what it is for."""
        group: Any = ctx.find_root().command
        members = group.members(self.kind).items()
        return [CompletionItem(name, help=summary) for name, summary in members if name.startswith(incomplete)]


FOLDER = PlainPath(file_okay=False)
PATH = PlainPath()
FOLDER_PLACE = PlainPath(file_okay=False, anywhere=True)
PLACE = PlainPath(anywhere=True)


class LookUp(click.Command):
    """A command that shows what is there, and for which the time to start is most of what it takes.

    Arrow imports pandas at its first conversion, to ask whether what it got is a data frame; that takes longer than
    many a look-up, none of which has one. So it looks once, in vain, and again where pandas is really wanted.
    """

    def invoke(self, context: click.Context) -> Any:
        """Run the command without pandas."""
        if "pandas" not in sys.modules:
            import pyarrow as pa

            finder = _NoPandas()
            sys.meta_path.insert(0, finder)
            try:
                pa.array([])
            finally:
                sys.meta_path.remove(finder)
        return super().invoke(context)


class _NoPandas(MetaPathFinder):
    """Says that there is no pandas, and nothing of other modules."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(f"{name} is not looked for.", name=name)


def command_refusing_nan(command: click.Command) -> None:
    """Let no option of a command be nan or infinite: click's ranges take both."""
    for option in command.params:
        if isinstance(option.type, click.types.FloatParamType) and option.callback is None:
            option.callback = _finite


def _finite(context: click.Context, option: click.Parameter, value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number.", context, option)
    return value


def out_option(default: str, meaning: str = "Folder to write.", *, anywhere: bool = False) -> Decorator:
    """Return `--out/-O FOLDER`, `anywhere` if the folder may be an address."""
    folder = FOLDER_PLACE if anywhere else FOLDER
    return click.option("--out", "-O", type=folder, default=default, show_default=True, help=meaning)


option_option = click.option(
    "--option", "-o", "options", multiple=True, metavar="KEY=VALUE",
    help="An option of the component; see `cvr show NAME`.",
)  # fmt: skip


class OwnOptions(click.Option):
    """`--option/-o` of a command that has options of its own, those of the Config that `load` returns."""

    def __init__(self, names: Sequence[str], *, load: Callable[[], type], **given: Any):
        super().__init__(names, **given)
        self.load = load


def command_own_options(load: Callable[[], type]) -> Decorator:
    """Return `--option/-o KEY=VALUE` for a command that has options of its own; it gets them as `options`."""
    return click.option(
        "--option", "-o", "options", cls=OwnOptions, load=load, multiple=True, metavar="KEY=VALUE",
        help="An option of the command; see `cvr show COMMAND`.",
    )  # fmt: skip


def command_own_options_text(command: click.Command) -> str:
    """Return the options of a command's own, with defaults and meanings; nothing where it has none."""
    from cvr_data.core.registry import options_text

    for parameter in command.params:
        if isinstance(parameter, OwnOptions):
            source = Path(inspect.getfile(parameter.load())).read_text(encoding="utf-8")
            return options_text(source, parameter.load)
    return ""


overwrite_option = click.option("--overwrite", is_flag=True, help="Replace what the folder holds.")
evidence_option = click.option(
    "--evidence", multiple=True, type=FOLDER,
    help="A folder of find-positives, mine-distractors, audit, or of a result benched with --robustness; repeatable.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
seed_option = click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Seed of everything random."
)


def command_machine() -> Machine:
    """Return the settings of this machine, of the section that `cvr --machine NAME` names."""
    return load_machine(click.get_current_context().find_root().params.get("machine"))


def command_options_with_machine(config_class: type, options: Sequence[str]) -> tuple[str, ...]:
    """Return a component's options, with this machine's device, batch size and workers where none are given."""
    return component_options(config_class, options, command_machine())


def command_engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return the command with `--engine`, `--ray-address` and `--workers`; its jobs run where these say."""

    @wraps(command)
    def on_engine(*, engine: str, ray_address: str | None, workers: int | None, **given: Any) -> Any:
        from cvr_data.core.engine import Engine
        from cvr_data.core.jobs import use_engine

        if ray_address is not None and engine != "ray":
            raise CvrError("--ray-address belongs to --engine ray.")
        if engine == "ray":
            chosen = Engine("ray", workers or command_machine().workers or 1, ray_address)
        else:
            chosen = Engine("local", workers or 1)
        with use_engine(chosen):
            return command(**given)

    options = (
        click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
                     help="Where the heavy steps run."),
        click.option("--ray-address", metavar="HOST:PORT", help="A running Ray cluster, or auto; else one starts."),
        click.option("--workers", "-w", type=click.IntRange(1),
                     help="Processes of the heavy steps.  [default: 1; with ray, the machine's]"),
    )  # fmt: skip
    for option in reversed(options):
        on_engine = option(on_engine)
    return on_engine
