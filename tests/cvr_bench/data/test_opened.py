"""opened: the data of a run are read once, however many models it benches."""

import os
import shutil
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.slow

COUNTED: list[Counter] = []
"""Where reads are counted; an audit hook cannot be taken back, so it stays and counts nothing."""
MODELS = ("visual-only", "combiner", "fdca")


def count(path) -> None:
    for counter in COUNTED:
        counter[Path(os.path.realpath(path))] += 1


def on_open(event, arguments) -> None:
    if COUNTED and event == "open" and str(arguments[0]).endswith("manifest.json"):
        count(arguments[0])


sys.addaudithook(on_open)


@pytest.fixture
def reads(monkeypatch):
    """File -> how often a manifest was opened or a Parquet file read since the test began."""
    for name in ("read_table", "read_schema", "read_metadata", "ParquetFile"):
        monkeypatch.setattr(pq, name, counting(getattr(pq, name)))
    COUNTED.append(Counter())
    yield COUNTED[0]
    COUNTED.clear()


def counting(read):
    def wrapped(source, *arguments, **options):
        if isinstance(source, str | os.PathLike):  # not the parts of a file that is open already
            count(source)
        return read(source, *arguments, **options)

    return wrapped


@pytest.fixture
def copied(world, tmp_path) -> Path:
    """The world in a folder that no earlier test has read."""
    return Path(shutil.copytree(world.folder, tmp_path / "world"))


def below(reads, folder) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): number for path, number in reads.items() if folder in path.parents}


def bench(cvr, folder, *words):
    models = [word for model in MODELS for word in ("-m", model)]
    data = ["-d", folder / "annotations/tiny", "-t", "epochs=1", "-t", "batch_size=16"]
    cvr.done("bench", *models, *data, *words, "-O", folder.parent / "results")


def test_one_bench_reads_each_table_and_each_manifest_once(cvr, copied, reads):
    bench(cvr, copied, "--save-scores")
    tables = {path.relative_to(copied).as_posix() for path in copied.rglob("part-*.parquet")}
    tables.remove("pairs/part-00000.parquet")  # no part of a bench
    manifests = {f"{name}/manifest.json" for name in ("annotations/tiny", "embeddings", "videos", "pairs")}
    assert below(reads, copied) == dict.fromkeys(tables | manifests, 1)


def test_training_data_are_read_once_too(cvr, copied, reads, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(copied, other)
    reads.clear()
    bench(cvr, copied, "--train-data", other / "annotations/tiny", "--no-audit")
    assert below(reads, other)["annotations/tiny/part-00000.parquet"] == 1
    assert set(below(reads, copied).values()) == {1}
