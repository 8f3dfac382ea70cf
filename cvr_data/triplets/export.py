"""Writes triplets in a published layout, whole or not at all."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from cvr_data.core.whole_files import whole_folder
from cvr_data.formats import FORMATS


def export_triplets(
    name: str, options: Sequence[str] | Mapping[str, str], triplets: pa.Table, videos: pa.Table | None, out: Path
) -> list[Path]:
    """Write triplets in a layout of `cvr list formats` and return the files.

    Raises:
        CvrError: an unknown layout or option, rows that it cannot hold, or `out` is not empty.
    """
    component, config = FORMATS.get(name), FORMATS.config(name, options)
    with whole_folder(out) as new:
        made = component.write(config, triplets, new, videos)
    return [out / path.relative_to(new) for path in made]
