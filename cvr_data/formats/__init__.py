"""Published layouts of triplets, one file each, both ways."""

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from cvr_data.core.registry import Family, Member


class FormatModule(Member, Protocol):
    """A module that is the one writer and the one reader of a layout."""

    def write(self, config: Any, triplets: pa.Table, out: Path, videos: pa.Table | None = None) -> list[Path]:
        """Write files in `out`, for each split that has rows, and return their paths."""

    def read(self, config: Any, path: Path) -> pa.Table:
        """Return the triplets of a file or folder, their ids computed from their content.

        Raises:
            CvrError: there is no such file, it is not what the layout says, or its targets are hidden.
        """


@runtime_checkable
class ReadsVideos(Protocol):
    """A layout that also tells what is known of the videos."""

    def read_videos(self, config: Any, path: Path) -> pa.Table:
        """Return the videos table of a folder."""


FORMATS: Family[FormatModule] = Family(__name__, FormatModule)
