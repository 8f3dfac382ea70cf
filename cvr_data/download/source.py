"""Where the parts of a published data set come from: one YAML file per name in sources/.

annotations:
  - {url: "https://…/val.json", file: annotations/val.json, split: val, sha256: …}
  - {hub: datasets/owner/name, path: "*.csv"}       # files of a Hugging Face repository, by name or pattern
videos:
  - {table: "https://…/paths.json", split: test}    # a list of ids and addresses, fetched first
  - {url: "https://…/clips.zip", unpack: true}
  - {manual: "Fill in the form at https://…"}       # nothing a program may fetch: the step is printed
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import unquote, urlsplit

from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.core.reading import check_fields, check_json_value_types, reading
from cvr_data.core.yaml_text import read_yaml

Kind = Literal["annotations", "videos", "images", "features", "checkpoints"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FOLDER = Path(__file__).parent / "sources"
WAYS = ("url", "hub", "table", "manual")


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One file, set of files or manual step; one of `url`, `hub`, `table` and `manual` says how it is had."""

    url: str | None = None
    """Address of one file."""
    hub: str | None = None
    """Repository: datasets/owner/name or models/owner/name."""
    path: str | None = None
    """File or pattern in the repository."""
    revision: str = "main"
    """Of the repository."""
    table: str | None = None
    """Address of a list of ids and addresses."""
    manual: str | None = None
    """What a person has to do."""
    file: str | None = None
    """Where it goes, relative to the folder of its kind; by default the last part of its address."""
    split: str | None = None
    """The split it belongs to; None for all."""
    sha256: str | None = None
    """Of the published file, if known."""
    size: int | None = None
    """In bytes, if known."""
    unpack: bool = False
    """Whether it is an archive to unpack."""
    inside: str | None = None
    """A folder at the top of the archive whose content goes in its place, if it is there."""
    note: str | None = None
    """What the user should know before."""

    def __post_init__(self):
        given = [way for way in WAYS if getattr(self, way)]
        if len(given) != 1:
            raise ValueError(f"one of {', '.join(WAYS)} is needed, got {', '.join(given) or 'none'}.")
        if self.hub and not self.path:
            raise ValueError("hub needs path.")

    @property
    def target(self) -> str:
        """Where its file goes, relative to the folder of its kind."""
        return self.file or unquote(urlsplit(self.url or self.table or self.path or "").path).rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class Source:
    """What one data set consists of."""

    name: str
    title: str
    licence: str
    parts: Mapping[Kind, tuple[SourceFile, ...]]

    def entries(self, kind: Kind, split: str | None = None) -> list[SourceFile]:
        """Return the entries of a kind, and of one split those that belong to it or to all.

        Raises:
            CvrError: nothing of this kind is known, or no entry has the split.
        """
        entries = self.parts.get(kind, ())
        if not entries:
            known = ", ".join(kind for kind in KINDS if self.parts.get(kind)) or "nothing"
            raise CvrError(f"No {kind} of {self.name} are known (known: {known}); pass --urls with ids and addresses.")
        splits = {entry.split for entry in entries if entry.split}
        if split is not None and splits and split not in splits:
            raise CvrError(f"{self.name}: the {kind} have no split {split!r}. {did_you_mean(split, splits)}")
        return [entry for entry in entries if split is None or entry.split in (None, split)]


def download_source_names() -> list[str]:
    """Return the names of all described data sets."""
    return sorted(path.stem.replace("_", "-") for path in FOLDER.glob("*.yaml"))


def load_download_source(name: str) -> Source:
    """Return the description of a data set by its name, or by the path of a YAML file of one's own.

    Raises:
        CvrError: there is none of that name, or its file is not as it should be.
    """
    if name.endswith(".yaml"):
        if not Path(name).is_file():
            raise CvrError(f"{name} does not exist.")
        return read_download_source(Path(name))
    if name.replace("_", "-") not in download_source_names():
        hint = "For ids and addresses of your own, pass --urls."
        raise CvrError(f"No source {name!r} is described. {did_you_mean(name, download_source_names())} {hint}")
    return read_download_source(FOLDER / f"{name.replace('-', '_')}.yaml")


def read_download_source(path: Path) -> Source:
    """Return the description in a YAML file.

    Raises:
        CvrError: a key is unknown, or an entry does not say how it is had.
    """
    content = read_yaml(path)
    with reading(path, "the description of a data set"):
        check_json_value_types(content, {"title": str, "licence": str})
        check_json_value_types(content, {kind: list for kind in KINDS if kind in content})
    for key in content:
        if key not in (*KINDS, "title", "licence"):
            raise CvrError(f"{path}: unknown key {key!r}. {did_you_mean(key, (*KINDS, 'title', 'licence'))}")
    parts: dict[Kind, tuple[SourceFile, ...]] = {
        kind: tuple(_source_entry(values, f"{path}: {kind} {number}") for number, values in enumerate(content[kind]))
        for kind in KINDS
        if kind in content
    }
    name = path.stem.replace("_", "-")
    return Source(name=name, title=content["title"], licence=content["licence"], parts=parts)


def _source_entry(values: Mapping[str, Any], where: str) -> SourceFile:
    if not isinstance(values, Mapping):
        raise CvrError(f"{where} should be a mapping, found {type(values).__name__}.")
    names = [field.name for field in dataclasses.fields(SourceFile)]
    for key in values:
        if key not in names:
            raise CvrError(f"{where}: unknown key {key!r}. {did_you_mean(key, names)}")
    try:
        check_fields(SourceFile, values)
        return SourceFile(**values)
    except ValueError as error:
        raise CvrError(f"{where}: {error}") from None
