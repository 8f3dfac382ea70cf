"""Show which annotations, media and features of each benchmark are here, and what would fetch the rest."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cvr_data.commands.options import FOLDER, LookUp, command_machine, json_option
from cvr_data.core.machine import Machine, config_path

if TYPE_CHECKING:
    from cvr_bench.data.status import Coverage, Status

DETAIL_WIDTH = 100


@click.command(cls=LookUp)
@click.argument("names", nargs=-1)
@click.option("--embeddings", "-e", type=FOLDER, multiple=True, help="Count these features too; repeatable.")
@json_option
def data_status_command(names: tuple[str, ...], embeddings: tuple[Path, ...], as_json: bool) -> None:
    """Show the settings of this machine and what of the benchmarks NAMES (default: all) it has.

    Settings come from ~/.config/cvr/config.toml ($CVR_CONFIG) and `cvr --machine NAME`; data sets lie in $CVR_DATA.

    Example: cvr data-status cirr webvid-covr
    """
    from cvr_bench.data.status import bench_data_status

    machine = command_machine()
    statuses = bench_data_status(names, machine, embeddings)
    if as_json:
        content = {
            "machine": dataclasses.asdict(machine),
            "benchmarks": [_data_status_json(status) for status in statuses],
        }
        click.echo(json.dumps(content, indent=1, sort_keys=True, default=str))
        return
    click.echo(_settings_lines(machine))
    for status in statuses:
        click.echo("\n" + _benchmark(status))


def _settings_lines(machine: Machine) -> str:
    read = machine.config or f"{config_path()} (not there; nothing in it is needed)"
    lines = [f"settings  {read}" + (f", [machines.{machine.name}]" if machine.name else "")]
    for key in ("data", "device", "batch_size", "workers"):
        value = getattr(machine, key)
        lines.append(f"  {key:<12}{'-' if value is None else value}  ({machine.origins.get(key, 'default')})")
    for key in ("roots", "media", "features"):
        for name, path in sorted(getattr(machine, key).items()):
            lines.append(f"  {key}.{name}  {path}  ({machine.origins[f'{key}.{name}']})")
    return "\n".join(lines)


def _benchmark(status: "Status") -> str:
    if not status.root.is_dir():
        lines = [f"{status.name}  {status.root} is not there  ({status.origin})"]
    else:
        lines = [f"{status.name}  {status.root}  ({status.origin})"]
        width = max(len(part.label) for part in status.parts)
        for part in status.parts:
            detail = part.detail
            detail = detail if len(detail) <= DETAIL_WIDTH else f"{detail[: DETAIL_WIDTH - 3]}..."
            lines.append(f"  annotations  {part.label:<{width}}  {part.state:<10}  {detail}")
        lines += _coverages("media", status.media, status)
        lines += _coverages("features", status.features, status)
    if status.asked:
        lines.append("  downloads    " + ", ".join(f"{count} {name}" for name, count in sorted(status.asked.items())))
    return "\n".join([*lines, *(f"  to fetch     {step}" for step in status.steps)])


def _coverages(what: str, coverages: "Sequence[Coverage]", status: "Status") -> list[str]:
    if coverages:
        return [f"  {what:<13}{found.found} of {found.wanted}  {found.place}" for found in coverages]
    looked = [path.name for path in status.looked_in if path.parent == status.root]
    where = [path for path in looked if (path in ("videos", "images")) == (what == "media")]
    return [f"  {what:<13}none of {status.named}  (no {' or '.join(f'{name}/' for name in where)} there)"]


def _data_status_json(status: "Status") -> dict[str, object]:
    parts = [
        {"label": part.label, "state": part.state, "detail": part.detail, "ids": len(part.ids)} for part in status.parts
    ]
    return {**dataclasses.asdict(dataclasses.replace(status, parts=())), "parts": parts}
