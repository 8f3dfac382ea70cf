"""Which videos an embeddings folder has, without the library that computes with their features.

    stored_video_ids(Path("embeddings"))     # {"video7", ...}

`cvr data-status` and other look-ups answer at once; importing torch alone takes longer than all they do.
"""

from pathlib import Path

import pyarrow.parquet as pq

from cvr_data.core.artifacts import open_artifact

STAGE = "embed"


def stored_video_ids(path: Path | str) -> set[str]:
    """Return the ids of the videos of an embeddings folder.

    Raises:
        CvrError: it is none.
    """
    found: set[str] = set()
    for part in open_artifact(path, STAGE).part_paths:
        table = pq.read_table(part, columns=["item_id"], filters=[("kind", "=", "video")])
        found.update(table.column("item_id").to_pylist())
    return found
