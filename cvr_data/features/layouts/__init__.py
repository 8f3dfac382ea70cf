"""Layouts in which others keep features on disk, one file each."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cvr_data.core.registry import Family, Member

if TYPE_CHECKING:  # torch, which names do not need
    from cvr_data.features.layout import Export, Features


class LayoutModule(Member, Protocol):
    """A module that reads and writes the features of videos and texts."""

    def read(self, config: Any, source: Path) -> "Features":
        """Return what a file or folder holds, without reading it whole.

        Raises:
            CvrError: there is no such file, or it is not what the layout says.
        """

    def write(self, config: Any, export: "Export", folder: Path) -> list[Path]:
        """Write files in `folder` and return their paths."""


LAYOUTS: Family[LayoutModule] = Family(__name__, LayoutModule)
