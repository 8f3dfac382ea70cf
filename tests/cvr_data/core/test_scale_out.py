"""Scale-out: commands make the same bytes on a real Ray of two workers, one of which is killed meanwhile, as here."""

import itertools
import os
import signal
import sys
import threading
from contextlib import contextmanager

import numpy as np
import psutil
import pyarrow as pa
import pytest

from cvr_data.core import parts, runner
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import identity_of, open_artifact
from cvr_data.core.columns import with_column
from cvr_data.core.stages import stage_rows_by_drop_reason
from cvr_data.core.whole_files import json_bytes
from cvr_data.features import embed_source
from cvr_data.pairs.mine_pairs import Strategy, mine_pairs, parse_mining_filter
from cvr_data.pairs.search import nearest as _nearest
from cvr_data.pairs.search import neighbour_jobs, statement_search
from cvr_data.pairs.search.halves import caption_halves_to_pair, captions_with_halves, shared_halves
from cvr_data.pairs.search.nearest import Band, mined_nearest_neighbours
from cvr_data.pairs.strategies import concept, neighbors, one_phrase, one_word
from cvr_data.tables import VIDEOS
from tests.dataset_folders import bytes_of, write_artifact
from tests.mined_pairs import captioned

WORDS = (["a", "one"], ["red", "blue", "old"], ["dog", "cat", "man"], ["runs", "sits"], ["on the beach", "in a park"])
CAPTIONS = [" ".join(words) for words in itertools.product(*WORDS)]
SMALL = (
    (embed_source, "VIDEOS_PER_PART", 8), (embed_source, "TEXTS_PER_PART", 16), (one_word, "BUCKET_VALUES", 20),
    (concept, "CAPTIONS", 20), (neighbors, "CAPTIONS", 20), (neighbors, "FOUND", 100), (concept, "FOUND", 100),
    (statement_search, "STATEMENTS", 100),
    (neighbour_jobs, "QUERIES", 16), (runner, "CLAIMS", 40), (parts, "PART_VALUES", 20),
)  # fmt: skip
"""What makes several jobs of a small corpus; the driver alone cuts jobs."""


@pytest.fixture(autouse=True)
def small_jobs(monkeypatch):
    for module, name, value in SMALL:
        monkeypatch.setattr(module, name, value)


def videos_table():
    return captioned({f"v{n:03d}": [text] for n, text in enumerate(CAPTIONS)})


@pytest.fixture
def videos(tmp_path):
    table = videos_table()
    with ArtifactWriter(tmp_path / "videos", stage="import-test") as writer:
        writer.write_part(0, table.slice(0, 50))
        writer.write_part(1, table.slice(50))
        writer.finish()
    return tmp_path / "videos"


@contextmanager
def one_worker_killed():
    """Kill the first worker of Ray that is seen at a job, once, and check that there was one."""
    killed, is_over = [], threading.Event()

    def kill():
        while not killed and not is_over.wait(0.002):
            for process in psutil.Process().children(recursive=True):
                if process.is_running() and _is_at_a_job(process):
                    os.kill(process.pid, signal.SIGKILL)
                    killed.append(process.pid)
                    break

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
    assert len(killed) == 1


def _is_at_a_job(process):
    try:
        return any(word.startswith("ray::cvr ") for word in process.cmdline()[:1])
    except psutil.Error:
        return False


@pytest.mark.engine
@pytest.mark.usefixtures("ray_of_two")
@pytest.mark.parametrize(
    "words",
    [
        ("embed", "--encoder", "hash"),
        ("mine-pairs", "--strategy", "one-word", "-o", "max_group=2", "--filter", "min-words"),
        ("mine-pairs", "--strategy", "concept", "-o", "targets=5", "--filter", "none"),
        ("mine-pairs", "--strategy", "neighbors", "-o", "text_encoder=hash", "-o", "low=-1", "-o", "k=3",
         "--filter", "min-words"),
    ],
    ids=["embed", "one-word", "concept", "neighbors"],
)  # fmt: skip
def test_ray_makes_the_same_bytes_though_a_worker_is_killed(words, videos, cvr, tmp_path):
    command, *options = words
    cvr.done(command, videos, *options, "-O", tmp_path / "here")
    with one_worker_killed():
        outcome = cvr(command, videos, *options, "-O", tmp_path / "ray", "--engine", "ray", "--workers", "2")
    assert outcome.code == 0, outcome.err
    here, there = bytes_of(tmp_path / "here"), bytes_of(tmp_path / "ray")
    assert len(here) > 1 or command == "mine-pairs"
    assert sorted(there) == sorted(here)
    assert there == here


def mined(folder, out, config, values, monkeypatch):
    """Return what one-word makes of a videos folder in buckets of so many halves."""
    monkeypatch.setattr(one_word, "BUCKET_VALUES", values)
    strategy = Strategy("one-word", one_word, config)
    made = mine_pairs(folder, None, strategy, [], out, overwrite=True)
    return sorted(
        [row["pair_id"] for row in made.read().to_pylist()]
        + [(row["drop_reason"], row["reference_caption"], row["n_pairs"]) for row in made.dropped().to_pylist()],
        key=str,
    )


@pytest.mark.engine
@pytest.mark.parametrize("max_group", [2, 50])
@pytest.mark.parametrize("values", [1, 8, 1000])
def test_buckets_of_any_size_give_the_pairs_and_templates_of_one_search(
    values, max_group, videos, tmp_path, monkeypatch
):
    config = one_word.Config(max_group=max_group)
    whole = one_word.run(config, videos_table()).to_pylist()
    expected = [
        row["pair_id"] if row["drop_reason"] is None
        else (row["drop_reason"], row["reference_caption"], row["n_pairs"])
        for row in whole
    ]  # fmt: skip
    assert mined(videos, tmp_path / "out", config, values, monkeypatch) == sorted(expected, key=str)
    assert len(expected) > 0


@pytest.mark.engine
def test_filters_of_groups_decide_in_parts_as_on_one_table(videos, tmp_path):
    names = ("direction:keep=both", "video-cap:most=5", "caption-cap:most=3", "word-cap:most=9", "caption-pair-cap")
    chosen = [parse_mining_filter(name) for name in names]
    config = one_word.Config()
    made = mine_pairs(videos, None, Strategy("one-word", one_word, config), chosen, tmp_path / "out", overwrite=False)
    assert len(made.part_paths) > 5
    whole = one_word.run(config, videos_table()).drop_columns(["drop_reason"])
    whole = with_column(whole, "visual_similarity", pa.nulls(whole.num_rows, pa.float32()))
    for each in chosen:
        whole, dropped = stage_rows_by_drop_reason(each.module.run(each.config, whole))
        assert {row["pair_id"] for row in made.dropped().to_pylist() if row["drop_step"] == 1 + chosen.index(each)} == {
            *dropped["pair_id"].to_pylist()
        }
    assert sorted(made.read()["pair_id"].to_pylist()) == sorted(whole["pair_id"].to_pylist())
    assert {"caption_cap", "video_cap", "word_cap"} == made.manifest["dropped"].keys()


@pytest.mark.parametrize("captions", [["a dog runs", "a cat runs"], ["a dog runs", "A dog, runs"]])
def test_a_caption_is_left_out_only_if_no_other_has_a_half_of_it(captions):
    rows = [*captions, "rain falls on every long road", "a red dog runs fast", "dog", ""]
    table = videos_table().slice(0, 6).set_column(1, VIDEOS.field("captions"), pa.array([[text] for text in rows]))
    left = captions_with_halves(None, table, shared_halves(None, caption_halves_to_pair(one_word.Config(), table)))
    assert set(left.column("video_id").to_pylist()) == {"v000", "v001"}


def test_each_half_that_a_caption_shares_brings_it_once_with_its_place_and_video():
    said = pa.array([["a dog runs", "a cat runs"], None, ["rain", "the dog runs"]], VIDEOS.field("captions").type)
    table = videos_table().slice(0, 3).set_column(1, VIDEOS.field("captions"), said)
    left = captions_with_halves(
        None, table, shared_halves(None, caption_halves_to_pair(one_word.Config(), table))
    ).select(["video_id", "caption", "place", "side"])
    assert left.to_pylist() == [
        {"video_id": "v000", "caption": "a dog runs", "place": 0, "side": 0},
        {"video_id": "v000", "caption": "a dog runs", "place": 0, "side": 1},
        {"video_id": "v000", "caption": "a cat runs", "place": 1, "side": 0},
        {"video_id": "v002", "caption": "the dog runs", "place": 1, "side": 1},
    ]


@pytest.mark.engine
@pytest.mark.parametrize("seed", range(3))
def test_random_captions_in_buckets_are_paired_as_in_one_search(seed, tmp_path, monkeypatch):
    random = np.random.default_rng(seed)
    said = [
        [" ".join(random.choice(list("abcde"), size)) for size in random.integers(1, 6, random.integers(0, 4))]
        for _ in CAPTIONS
    ]
    table = videos_table().set_column(1, VIDEOS.field("captions"), pa.array(said, VIDEOS.field("captions").type))
    write_artifact(tmp_path / "videos", "import-test", table)
    config = one_word.Config(max_group=3, max_videos_per_caption=1)
    whole = one_word.run(config, table).to_pylist()
    expected = [
        row["pair_id"] if row["drop_reason"] is None
        else (row["drop_reason"], row["reference_caption"], row["n_pairs"])
        for row in whole
    ]  # fmt: skip
    found = mined(tmp_path / "videos", tmp_path / "out", config, 20, monkeypatch)
    assert found == sorted(expected, key=str)
    assert {type(entry) for entry in expected} == {str, tuple}


def told(rows):
    """What a row says, and why it was dropped."""
    return sorted(
        (str(row["drop_reason"]), row["pair_id"], str(row["changes"]), str((row.get("n_pairs"), row.get("n_videos"))))
        for row in rows
    )


@pytest.mark.engine
@pytest.mark.parametrize("values", [10, 100_000])
@pytest.mark.parametrize("options", [{}, {"min_shared_words": 2, "max_span": 4}, {"one_word": False}, None])
def test_phrases_in_buckets_are_paired_as_in_one_search(options, values, tmp_path, monkeypatch):
    random = np.random.default_rng(values)
    monkeypatch.setattr(one_phrase, "BUCKET_VALUES", values)
    said = [
        [" ".join(random.choice(list("abcde"), size)) for size in random.integers(1, 7, random.integers(0, 4))]
        for _ in CAPTIONS
    ]
    if options is None:
        said = [[text] for text in CAPTIONS[:-1]] + [CAPTIONS[:2]]
    table = videos_table().set_column(1, VIDEOS.field("captions"), pa.array(said, VIDEOS.field("captions").type))
    write_artifact(tmp_path / "videos", "import-test", table)
    options = {} if options is None else {"phrases": "any", "max_group": 3, **options}
    config = one_phrase.Config(max_videos_per_caption=1, **options)
    strategy = Strategy("one-phrase", one_phrase, config)
    made = mine_pairs(tmp_path / "videos", None, strategy, [], tmp_path / "out", overwrite=False)
    expected, dropped = stage_rows_by_drop_reason(one_phrase.run(config, table))
    found = [{**row, "drop_reason": None} for row in made.read().to_pylist()]
    assert sorted(row["pair_id"] for row in found) == sorted(expected["pair_id"].to_pylist())
    assert told(made.dropped().to_pylist()) == told(dropped.to_pylist())
    assert expected.num_rows > 0 and dropped.num_rows > 0
    assert [step["step"] for step in made.manifest["funnel"]] == ["one-phrase"]


@pytest.mark.parametrize("shards", [(7, 5), (16, 24), (40, 100)])
def test_neighbours_over_shards_are_those_of_one_search(shards):
    vectors_ND = np.random.default_rng(0).standard_normal((90, 6)).astype(np.float32)
    vectors_ND[10:14] = vectors_ND[80]  # equal similarities, in several shards
    vectors_ND /= np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    band = Band(k=3, low=-0.5, high=0.9999)
    expected = mined_nearest_neighbours(vectors_ND, band)
    queries, keys = shards
    rows, shards = (
        [_nearest.Rows(start, vectors_ND[start : start + size]) for start in range(0, 90, size)]
        for size in (queries, keys)
    )
    found = [_nearest.mined_neighbours_in_shards(each, shards, band) for each in rows]
    for name in ("query", "neighbour", "similarity"):
        assert np.array_equal(np.concatenate([getattr(part, name) for part in found]), getattr(expected, name))


def test_an_address_without_ray_is_one_line(one_line_error, videos, tmp_path):
    words = ("mine-pairs", videos, "-O", tmp_path / "out", "--ray-address", "localhost:6379")
    assert "--ray-address belongs to --engine ray." in one_line_error(*words)


def test_no_ray_is_one_line(one_line_error, videos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)  # as where it is not installed
    line = one_line_error("mine-pairs", videos, "-O", tmp_path / "out", "--engine", "ray")
    assert "--engine ray needs Ray (pip install 'cvr[ray]')" in line


def test_several_devices_and_several_workers_are_one_line(one_line_error, videos, tmp_path):
    words = ("embed", videos, "-O", tmp_path / "out", "--encoder", "hash", "--device", "cpu:0,cpu:1", "--workers", "2")
    assert "name one --device" in one_line_error(*words)


@pytest.mark.slow
def test_an_unfinished_run_resumes_in_a_pool_with_the_same_bytes(videos, cvr, tmp_path):
    outcomes = [cvr("embed", videos, "--encoder", "hash", "-O", tmp_path / name) for name in ("here", "pool")]
    assert [outcome.code for outcome in outcomes] == [0, 0]
    (tmp_path / "pool" / "manifest.json").unlink()
    (tmp_path / "pool" / "part-00002.parquet").unlink()
    running = json_bytes(identity_of(open_artifact(tmp_path / "here").manifest))
    (tmp_path / "pool" / "running.json").write_bytes(running)
    cvr.done("embed", videos, "--encoder", "hash", "-O", tmp_path / "pool", "--workers", "2")
    assert bytes_of(tmp_path / "pool") == bytes_of(tmp_path / "here")
