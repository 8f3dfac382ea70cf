"""The options that layouts share."""

from dataclasses import dataclass

from cvr_data.core.errors import did_you_mean
from cvr_data.tables import SPLITS


@dataclass(frozen=True, kw_only=True)
class OfSplits:
    """Options of layouts with a file per split; the Config of one inherits them."""

    split: str = ""
    """Read this split only: train, val or test. Empty: all of a folder, or the one that a file is named after."""
    style: str = "short"
    """Style of the texts read; the file does not say."""

    def __post_init__(self) -> None:
        if self.split not in ("", *SPLITS):
            hint = did_you_mean(self.split, SPLITS)
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {self.split!r}. {hint}")
