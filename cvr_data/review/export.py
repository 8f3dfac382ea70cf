"""The judgments of a review as an artifact."""

import hashlib
import json
from pathlib import Path

import pyarrow as pa

from cvr_data.core.artifacts import Artifact, ArtifactWriter
from cvr_data.core.errors import CvrError
from cvr_data.core.reading import reading
from cvr_data.review.store import KIND, ReviewStore
from cvr_data.tables import JUDGMENTS

VERSION = 1
STAGE = "export-judgments"


def export_judgments(review: Path, out: Path, *, overwrite: bool = False) -> Artifact:
    """Write the live judgments of a review as an artifact and return it.

    Raises:
        CvrError: there is no such review, or none was judged.
    """
    with reading(review, KIND), ReviewStore(review, must_exist=True) as store:
        settings, table = store.settings(), reviewed_judgments(store)
    if not table.num_rows:
        raise CvrError(f"{review} holds no judgment yet.")
    content = json.dumps(table.to_pylist(), sort_keys=True).encode("utf-8", "surrogatepass")
    config = {**settings, "judgments_sha256": hashlib.sha256(content).hexdigest()}
    writer = ArtifactWriter(out, stage=STAGE, version=VERSION, config=config, overwrite=overwrite)
    if (done := writer.finished()) is not None:
        return done
    with writer:
        writer.write_part(0, table)
        return writer.finish()


def reviewed_judgments(store: ReviewStore) -> pa.Table:
    """Return the live judgments in the order made."""
    items = {item.item_id: item for item in store.items()}
    rows = []
    for made in store.judgments():
        rows.append({**vars(items[made.item_id]), **vars(made), "judgment_id": made.request_id})
    return pa.Table.from_pylist(rows, schema=JUDGMENTS)
