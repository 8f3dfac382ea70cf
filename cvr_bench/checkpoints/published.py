"""Published checkpoints by name: fetched, checked, renamed and ready for the model they are for.

    choice = published_checkpoint_folder("covr-blip2", Path("blip2-l-coco_coir+covr"), (), machine.root)
    # Choice(checkpoint=<folder of transformers>, options=("model=<folder>",))

A file that is already here is not fetched: each has its place below the folder of its source, see `place`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cvr_bench.models import MODELS
from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.core.registry import split_key_value_options
from cvr_data.core.yaml_text import parse_yaml
from cvr_data.download.source import SourceFile, load_download_source
from cvr_data.features.encoders.networks.checkpoints import quiet_encoder_libraries

FILE = Path(__file__).with_suffix(".yaml")
UNKNOWN = "unknown"
FOLDER, IMPORTED = "checkpoints", "imported"
"""Below the folder of a source: files as published, and what was made of them."""

Root = Callable[[str], Path]
"""Name of a source -> its folder on this machine."""


@dataclass(frozen=True, kw_only=True)
class PublishedCheckpoint:
    """One checkpoint."""

    name: str
    model: str
    """The model of ours that takes it."""
    source: str
    """What `cvr download checkpoints` calls the place it comes from."""
    split: str
    """How it is told from others there."""
    about: str

    @property
    def entry(self) -> SourceFile:
        """Where the file is and, if that is known, its sha256."""
        (entry,) = load_download_source(self.source).entries("checkpoints", self.split)
        return entry

    @property
    def licence(self) -> str:
        """Of its source."""
        return load_download_source(self.source).licence

    @property
    def address(self) -> str:
        """Where it is published."""
        entry = self.entry
        return entry.url or (f"hf://{entry.hub}/{entry.path}" if entry.hub else "no download is published")

    def place(self, root: Root) -> Path:
        """Return where the published file is looked for."""
        return root(self.source) / FOLDER / self.entry.target

    def summary(self) -> str:
        """Return what it is, for a list."""
        sha256 = self.entry.sha256 or UNKNOWN
        return f"{self.about} ({self.model}); {self.address}; sha256 {sha256}; {self.licence}"


@cache
def published_checkpoints() -> dict[str, PublishedCheckpoint]:
    """Return name -> checkpoint."""
    content = parse_yaml(FILE.read_text(encoding="utf-8"))
    return {name: PublishedCheckpoint(name=name, **values) for name, values in content.items()}


def summaries() -> dict[str, str]:
    """Return name -> one line, for `cvr list checkpoints`."""
    return {name: checkpoint.summary() for name, checkpoint in published_checkpoints().items()}


def _published_folder(name: str, model: str, root: Root) -> Path:
    """Return the folder of a checkpoint, fetching and importing it where that was not done before.

    Raises:
        CvrError: there is none of that name, it is for another model, or it cannot be had.
    """
    if name not in published_checkpoints():
        known = published_checkpoints()
        raise CvrError(f"No checkpoint is at {name!r}, and none is called so. {did_you_mean(name, known)}")
    checkpoint = published_checkpoints()[name]
    if checkpoint.model != model.replace("_", "-"):
        raise CvrError(f"The checkpoint {name} is for {checkpoint.model}, not for {model}.")
    folder = root(checkpoint.source) / FOLDER / IMPORTED / name
    _import_published_checkpoint(checkpoint, root, folder)
    return folder


def _import_published_checkpoint(checkpoint: PublishedCheckpoint, root: Root, folder: Path) -> None:
    from cvr_bench.checkpoints.import_checkpoint import Given, import_checkpoint  # torch, which a list does not need
    from cvr_data.core.artifact_files import MANIFEST

    if not (folder / MANIFEST).is_file():
        import_checkpoint(_published_checkpoint_file(checkpoint, root), checkpoint.model, folder, Given())


def _published_checkpoint_file(checkpoint: PublishedCheckpoint, root: Root) -> Path:
    """The published file, fetched if it is not here."""
    place = checkpoint.place(root)
    if place.is_file():
        return place
    if checkpoint.entry.manual:
        raise CvrError(f"The checkpoint {checkpoint.name} is not at {place}. {checkpoint.entry.manual}")
    from cvr_data.download.plan import (
        DownloadRequest,
        carry_out_download,
        make_download_plan,
    )  # an HTTP client, which a list does not need
    from cvr_data.download.run import Config as DownloadConfig

    request = DownloadRequest(
        kind="checkpoints", name=checkpoint.source, root=root(checkpoint.source), split=checkpoint.split
    )
    config = DownloadConfig(attempts=1, retry_failed=True)  # the hub's client tries again by itself
    with quiet_encoder_libraries():
        outcome = carry_out_download(make_download_plan(request, config), config)
    if not place.is_file():
        why = "; ".join(error.partition(". ")[0] for _, error in outcome.errors) or "not received"
        raise CvrError(f"{checkpoint.address} cannot be had ({why}); put the file at {place}.")
    return place


class Choice(NamedTuple):
    """A checkpoint as a model takes it."""

    checkpoint: Path | None
    options: tuple[str, ...]


def published_checkpoint_folder(model: str, checkpoint: Path | None, options: Sequence[str], root: Root) -> Choice:
    """Return the folder of a checkpoint that was named, with the option that builds a network of its size.

    Names of published checkpoints stand wherever a path does, in the option `checkpoint=` too (to train on from it).

    Raises:
        CvrError: what `_published_folder` raises.
    """
    given = split_key_value_options(options, model)
    if "checkpoint" in given:
        given["checkpoint"] = str(_resolved(Path(given["checkpoint"]), model, root))
    if checkpoint is not None:
        checkpoint = _resolved(checkpoint, model, root)
    folder = checkpoint or (Path(given["checkpoint"]) if "checkpoint" in given else None)
    takes_model = "model" in {field.name for field in fields(MODELS.get(model).Config)}
    if folder is not None and takes_model and "model" not in given and (folder / "config.json").is_file():
        given["model"] = str(folder)
    return Choice(checkpoint, tuple(f"{key}={value}" for key, value in given.items()))


def _resolved(checkpoint: Path, model: str, root: Root) -> Path:
    # a path that is not there and resembles no name is left to those who read it, who say so
    resembles = get_close_matches(str(checkpoint), published_checkpoints())
    return checkpoint if checkpoint.exists() or not resembles else _published_folder(str(checkpoint), model, root)
