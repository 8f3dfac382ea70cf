"""Settings of a machine: where data sets lie, which device and how many workers to take. One TOML file.

    data = "/data/cvr"                     # one folder per data set in it
    device = "cuda"                        # cpu, cuda or auto
    batch_size = 64
    workers = 8

    [roots]                                # data sets that lie elsewhere
    cirr = "/mnt/cirr"

    [media]                                # videos or images that lie elsewhere
    webvid-covr = "/mnt/WebVid/8M/train"

    [machines.cluster]                     # taken with --machine cluster: what it names replaces the above
    workers = 32

The file is ~/.config/cvr/config.toml or $CVR_CONFIG; nothing in it is needed. $CVR_DATA replaces `data`, and
$FINECVR_DATASET_ROOT is the folder above FineCVR's, as its authors' code has it. What a command is told goes first.
"""

import dataclasses
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.core.reading import reading

PLACES = ("roots", "media", "features")
SCALARS: dict[str, type] = {"data": str, "device": str, "batch_size": int, "workers": int}
DEFAULT_DATA = "data"
"""Folder of data sets where nothing else is said, in the current folder."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The resolved settings."""

    name: str | None = None
    """The section taken with --machine."""
    config: Path | None = None
    """The file that was read."""
    data: Path = Path(DEFAULT_DATA)
    """Folder with one folder per data set."""
    device: str | None = None
    batch_size: int | None = None
    workers: int | None = None
    roots: Mapping[str, Path] = field(default_factory=dict)
    media: Mapping[str, Path] = field(default_factory=dict)
    features: Mapping[str, Path] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    """Setting -> where it was given; what is not in it is the default."""

    def root(self, name: str) -> Path:
        """Return the folder of a data set: its own setting, else `data`/NAME, with underscores if that is there."""
        if name in self.roots:
            return self.roots[name]
        spelt = self.data / name.replace("-", "_")
        return spelt if spelt.is_dir() and not (self.data / name).is_dir() else self.data / name

    def root_origin(self, name: str) -> str:
        """Return why `root` gives what it gives."""
        return self.origins.get(f"roots.{name}") or self.origins.get("data", "default")

    def media_folders(self, name: str) -> list[Path]:
        """Return where videos and images of a data set may lie."""
        if name in self.media:
            return [self.media[name]]
        return [self.root(name) / kind for kind in ("videos", "images")]

    def features_folders(self, name: str) -> list[Path]:
        """Return where features of a data set may lie."""
        if name in self.features:
            return [self.features[name]]
        return [self.root(name) / kind for kind in ("features", "embeddings", "embbedings")]


def load_machine(name: str | None = None, environment: Mapping[str, str] = os.environ) -> Machine:
    """Return the settings of this machine, those of the section `name` first.

    Raises:
        CvrError: the file cannot be read, has an unknown key or a value of the wrong type, or lacks the section.
    """
    path = config_path(environment)
    content = _read_settings(path) if path.is_file() else {}
    if environment.get("CVR_CONFIG") and not path.is_file():
        raise CvrError(f"$CVR_CONFIG is {path}, which is not there.")
    sections = content.pop("machines", {})
    if not isinstance(sections, dict) or not all(isinstance(section, dict) for section in sections.values()):
        raise CvrError(f"{path}: [machines] should hold a section for each name, got {sections!r}.")
    machine = Machine(config=path if path.is_file() else None)
    machine = _with_settings(machine, content, f"{path}", path.parent)
    if name is not None:
        if name not in sections:
            raise CvrError(f"{path} has no [machines.{name}]. {did_you_mean(name, sections)}")
        machine = _with_settings(machine, sections[name], f"{path} [machines.{name}]", path.parent)
    return _with_environment(dataclasses.replace(machine, name=name), environment)


def config_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the settings file is looked for."""
    given = environment.get("CVR_CONFIG")
    return Path(given) if given else Path("~/.config/cvr/config.toml").expanduser()


def component_options(config_class: type, options: Sequence[str], machine: Machine) -> tuple[str, ...]:
    """Return `key=value` options with the machine's device, batch size and workers before those that were given.

    Only fields that a Config has, and whose value cannot change the output, are set.
    """
    settable = {item.name for item in dataclasses.fields(config_class) if not item.metadata.get("output", True)}
    names = [name for name in ("device", "batch_size", "workers") if name in settable]
    values = {name: getattr(machine, name) for name in names}
    return (*(f"{name}={value}" for name, value in values.items() if value is not None), *options)


def _with_settings(machine: Machine, values: Mapping[str, Any], where: str, folder: Path) -> Machine:
    changes: dict[str, Any] = {}
    origins = dict(machine.origins)
    for key, value in values.items():
        if key in PLACES:
            places = _folders_in_settings(key, value, where, folder)
            changes[key] = {**getattr(machine, key), **places}
            origins |= {f"{key}.{name}": where for name in places}
        elif key in SCALARS:
            is_wrong = not isinstance(value, SCALARS[key]) or isinstance(value, bool) or not value
            if is_wrong or (isinstance(value, int) and value < 1):
                at_least = " of at least 1" if SCALARS[key] is int else ""
                raise CvrError(f"{where}: {key} should be of type {SCALARS[key].__name__}{at_least}, got {value!r}.")
            changes[key] = _settings_path(str(value), folder) if key == "data" else value
            origins[key] = where
        else:
            raise CvrError(f"{where}: unknown setting {key!r}. {did_you_mean(key, (*SCALARS, *PLACES, 'machines'))}")
    return dataclasses.replace(machine, **changes, origins=origins)


def _with_environment(machine: Machine, environment: Mapping[str, str]) -> Machine:
    origins, roots, data = dict(machine.origins), dict(machine.roots), machine.data
    if given := environment.get("CVR_DATA"):
        data, origins["data"] = Path(given), "$CVR_DATA"
    if given := environment.get("FINECVR_DATASET_ROOT"):
        below = Path(given) / "FineCVR"
        roots["finecvr"], origins["roots.finecvr"] = below if below.is_dir() else Path(given), "$FINECVR_DATASET_ROOT"
    return dataclasses.replace(machine, data=data, roots=roots, origins=origins)


def _folders_in_settings(key: str, value: Any, where: str, folder: Path) -> dict[str, Path]:
    if not isinstance(value, dict):
        raise CvrError(f"{where}: [{key}] should give a folder to each name, got {value!r}.")
    for name, path in value.items():
        if not isinstance(path, str) or not path:
            raise CvrError(f"{where}: {key}.{name} should be the path of a folder, got {path!r}.")
    return {name.replace("_", "-"): _settings_path(path, folder) for name, path in value.items()}


def _settings_path(text: str, folder: Path) -> Path:
    return folder / Path(text).expanduser()


def _read_settings(path: Path) -> dict[str, Any]:
    with reading(path, "TOML"):
        return tomllib.loads(path.read_text(encoding="utf-8"))
