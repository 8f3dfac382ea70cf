"""Turns a corpus into a videos artifact: one row per video, rows that fail beside it with their reason."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from cvr_data.artifacts import Artifact, ArtifactWriter
from cvr_data.engine import split_dropped
from cvr_data.errors import CvrError
from cvr_data.progress import Progress
from cvr_data.registry import config_dict
from cvr_data.tables import VIDEOS, check_columns


def import_videos(corpus: ModuleType, config: Any, out: Path, *, overwrite: bool = False) -> Artifact:
    """Write the videos of a corpus and return the artifact, resuming an interrupted import.

    Raises:
        CvrError: the source cannot be read, gives no row at all, or `out` holds something else.
    """
    name = corpus.__name__.rsplit(".", 1)[-1].replace("_", "-")
    inputs = corpus.inputs(config)
    for path in inputs.values():
        if not path.exists():
            raise CvrError(f"{path} does not exist.")
    writer = ArtifactWriter(
        out,
        stage=f"import-{name}",
        version=corpus.VERSION,
        config=config_dict(config),
        inputs={key: path for key, path in inputs.items() if path.is_file()},
        overwrite=overwrite,
    )
    if (done := writer.finished()) is not None:
        return done
    with writer, Progress(f"import-{name}", corpus.count(config), "videos") as progress:
        kept = dropped = 0
        for index, table in enumerate(_checked(corpus.load(config, out), name)):
            good, bad = split_dropped(table)
            if not writer.has_part(index):
                writer.write_part(index, good, dropped=bad)
            kept, dropped = kept + good.num_rows, dropped + bad.num_rows
            progress.advance(table.num_rows, f"{dropped} dropped")
        if not kept:
            raise CvrError(_nothing_left(name, inputs, dropped))
        return writer.finish()


def _checked(tables: Iterator[pa.Table], name: str) -> Iterator[pa.Table]:
    for table in tables:
        yield check_columns(table, VIDEOS, f"import-{name}")


def _nothing_left(name: str, inputs: dict[str, Path], dropped: int) -> str:
    where = ", ".join(str(path) for path in inputs.values()) or name
    return f"{where}: no row." if not dropped else f"{where}: none of the {dropped} rows can be used."
