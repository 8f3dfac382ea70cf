"""Writes the WebVid-CoVR CSV of each split: jobs make the text of their parts, which are put after each other here."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.parts import read_artifact_bucket
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import Step
from cvr_data.core.whole_files import whole_file
from cvr_data.formats.webvid_covr import webvid_covr_csv
from cvr_data.tables import SPLITS, TRIPLETS

CSV_ROWS = 16_384
"""Triplets whose lines are made at once."""


def write_triplet_csv_splits(run: StageRun, rows: Flow, names: Mapping[str, str]) -> None:
    """Write the rows of each split to its file, `names` by split, into the folder of the run."""
    lines = run.side(
        rows.then(Step(name="csv", run=_csv_lines, makes_rows=True, is_counted=False)), read_artifact_bucket
    )
    with ExitStack() as held:
        files = {}
        for split, name in names.items():
            files[split] = held.enter_context(held.enter_context(whole_file(run.out / name)).open("wb"))
            files[split].write(webvid_covr_csv(TRIPLETS.empty_table()))
        for table in read_artifact_bucket(*lines.arguments):
            for split, text in zip(table.column("split").to_pylist(), table.column("text"), strict=True):
                files[split].write(text.as_buffer())


def _csv_lines(config: Any, triplets: pa.Table) -> pa.Table:
    """Return the lines of each split's CSV, without the first."""
    lines = {}
    for split in SPLITS:
        rows = triplets.filter(pc.equal(triplets.column("split"), split))
        for start in range(0, rows.num_rows, CSV_ROWS):
            lines[split, start] = webvid_covr_csv(rows.slice(start, CSV_ROWS)).split(b"\n", 1)[1]
    columns = {"split": pa.array([split for split, _ in lines], pa.string())}
    return pa.table({**columns, "text": pa.array(lines.values(), pa.large_binary())})
