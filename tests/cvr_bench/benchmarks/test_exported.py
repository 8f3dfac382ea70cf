"""Every published layout: triplets of ours that are exported in it can be benched, with the queries they had."""

import ast
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cvr_bench.benchmarks import BENCHMARKS
from cvr_bench.data.sources import sample_data_folder
from cvr_data.core.files import read_table
from cvr_data.features.embed import embed
from cvr_data.features.encoders import hash
from cvr_data.formats import FORMATS
from cvr_data.tables import VIDEOS
from cvr_data.triplets.import_triplets import ImportRequest, import_published_triplets
from tests.benchmark_samples import sample_task
from tests.dataset_folders import table_of, write_artifact
from tests.triplet_tables import triplet, triplets

IDS = [f"{number}" for number in range(100, 112)]
EXPORTED = [
    ("webvid-covr", "test", {}),
    ("webvid-covr", "val", {"split": "val"}),
    ("dense-webvid-covr", "test", {}),
    ("finecvr", "test", {}),
    ("finecvr", "test", {"ids": "names"}),
    ("egocvr", "test", {}),
    ("tf-covr", "test", {}),
    ("tf-covr", "val", {"split": "val"}),
    ("cirr", "val", {}),
    ("circo", "val", {"gallery": "named"}),
    ("fashioniq", "val", {}),
    ("fashioniq", "val", {"order": "swapped"}),
]
"""(format and benchmark, split of the triplets, options of the benchmark)."""
OF_OURS = sorted(set(FORMATS.names()) - set(BENCHMARKS.names()))
"""Layouts that no benchmark of the field has: they are imported, and benched as any triplets are."""


def videos_of(split):
    rows = [{"video_id": name, "captions": [name], "description": f"clip {name}", "source": "test", "split": split}
            for name in IDS]  # fmt: skip
    return table_of(rows, VIDEOS)


@pytest.fixture(scope="module")
def embeddings(tmp_path_factory):
    """Features of all videos."""
    root = tmp_path_factory.mktemp("features")
    write_artifact(root / "videos", "import-test", videos_of("train"))
    return embed(root / "videos", "hash", hash.Config(dim=8, frames=2), root / "embeddings").path


def export(name, split, folder, embeddings) -> pa.Table:
    """Write the triplets in a layout and return them."""
    given = {"cirr": {"embeddings": str(embeddings)}, "mteb-vt2v": {"media": "false"}}.get(name, {})
    # Two texts for one reference, one of which two videos answer.
    table = triplets(
        triplet("100", "make it blue", "101", split=split),
        triplet("100", "make it blue", "102", split=split),
        triplet("100", 'add snow, and say "hi"', "103", split=split),
        triplet("104", "make it blue", "105", split=split),
    )
    FORMATS.get(name).write(FORMATS.config(name, given), table, folder, videos_of(split))
    return table


def task_of(name, folder, **options):
    return sample_task(name, " ".join(f"{key}={value}" for key, value in options.items()), folder)


def asked(task):
    """(reference, text, target) of everything that a task asks."""
    return {
        (query.reference.item_id, query.modification, target)
        for query in task.queries
        for target in task.targets[query.query_id]
    }


def written(table):
    return set(zip(*(table[name].to_pylist() for name in ("reference_id", "modification", "target_id")), strict=True))


def test_the_layout_of_every_benchmark_is_benched():
    assert {name for name, _, _ in EXPORTED} | {"cc-coir"} == set(FORMATS.names()) & set(BENCHMARKS.names())


@pytest.mark.parametrize(("name", "split", "options"), EXPORTED)
def test_an_exported_folder_is_benched_as_it_is(tmp_path, embeddings, name, split, options):
    table = export(name, split, tmp_path, embeddings)
    assert asked(task_of(name, tmp_path, **options)) == written(table)


def test_both_splits_of_cc_coir_are_what_was_exported(tmp_path, embeddings):
    table = export("cc-coir", "train", tmp_path, embeddings)
    tasks = [task_of("cc-coir", tmp_path, split=split, held_out="0.5") for split in ("train", "val")]
    assert asked(tasks[0]) | asked(tasks[1]) == written(table)


@pytest.mark.parametrize("name", OF_OURS)
def test_a_layout_of_no_benchmark_is_imported_and_benched(tmp_path, embeddings, name):
    table = export(name, "test", tmp_path / "out", embeddings)
    folder = import_published_triplets(
        ImportRequest(source=tmp_path / "out", format=name, options={}), tmp_path / "triplets"
    ).path
    assert asked(BENCHMARKS.get("triplets").load(BENCHMARKS.config("triplets", {"data": str(folder)}))) == written(
        table
    )


def test_queries_with_several_targets_stay_one_query(tmp_path, embeddings):
    for name, split, options in [("egocvr", "test", {}), ("tf-covr", "test", {}), ("tf-covr", "val", {"split": "val"}),
                                 ("circo", "val", {"gallery": "named"})]:  # fmt: skip
        folder = tmp_path / f"{name}-{split}"
        export(name, split, folder, embeddings)
        assert sorted(map(len, task_of(name, folder, **options).targets.values())) == [1, 1, 2], name


def test_a_text_of_ours_is_no_half_of_two_captions(tmp_path, embeddings):
    export("fashioniq", "val", tmp_path, embeddings)
    assert all(" and " not in query.modification[-5:] for query in task_of("fashioniq", tmp_path).queries)


def test_the_parquet_of_tf_covr_gives_the_task_of_its_csv(tmp_path):
    sample = sample_data_folder() / "samples" / "tf-covr" / "test_finegd.csv"
    table = read_table(sample)
    lists = [ast.literal_eval(cell) for cell in table["target_videos_ids"].to_pylist()]
    numbers = pa.array(map(int, table["query_id"].to_pylist()))
    place = table.column_names.index("target_videos_ids")
    table = table.set_column(place, "target_videos_ids", pa.array(lists)).set_column(0, "query_id", numbers)
    for name in ("data/test-00000-of-00001.parquet", "test.parquet"):
        path = tmp_path / Path(name).stem / name
        path.parent.mkdir(parents=True)
        pq.write_table(table, path)
        assert task_of("tf-covr", tmp_path / Path(name).stem) == task_of("tf-covr", sample.parent)


def test_an_export_is_benched_from_the_command_line(cvr, world, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cvr.done("export", world.triplets, "--format", "egocvr", "--out", "out")
    words = ["--embeddings", world.embeddings, "-D", "annotations=out", "-D", "counts=any"]
    outcome = cvr.done("bench", "--model", "constant", "--data", "egocvr", *words)
    assert "egocvr-global (test): 18 queries" in outcome.out
