"""Readers of captioned videos, one file per source.

A corpus is tried on its sample, `annotations/samples/NAME`, or on the options that its `TINY` names.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from cvr_data.core.registry import Family, Member


class CorpusModule(Member, Protocol):
    """A module that reads captioned videos.

    Its Config may have `repeated`, what rows of one id are: error (also where it has none), captions, or drop (all but
    the first); and `check`, whether a media file that gives no frame is dropped (where it has none: no).
    """

    VERSION: int
    """Raised with whatever changes its rows."""

    def inputs(self, config: Any) -> dict[str, Path]:
        """Return name -> file or folder that it reads, for the manifest."""

    def count(self, config: Any) -> int | None:
        """Return how many videos come; None where only reading tells."""

    def load(self, config: Any, out: Path | None) -> Iterator[pa.Table]:
        """Yield tables of videos, and of rows with `drop_reason` (and `detail`) that cannot be used.

        Args:
            config: its options.
            out: folder of the artifact, for a corpus that makes its media.
        """


@runtime_checkable
class NamesMedia(Protocol):
    """A corpus whose media are not just all that lie in the folder of its option `media`."""

    def media(self, config: Any) -> tuple[Path, Iterable[str]] | None:
        """Return a folder, and the names in it of the media that `load` looks for; None if it looks for none."""


@runtime_checkable
class HasMedia(Protocol):
    """The options of a corpus that may look for media in a folder."""

    media: Path | None


CORPORA: Family[CorpusModule] = Family(__name__, CorpusModule, anywhere=True)
