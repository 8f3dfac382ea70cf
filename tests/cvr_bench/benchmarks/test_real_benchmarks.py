"""The published files themselves: counts against what the papers and their repositories say."""

import pytest

from cvr_bench.benchmarks import BENCHMARKS
from cvr_data.core.errors import CvrError

pytestmark = pytest.mark.data

HALF = "webvid_covr/webvid8m-covr_test.half.csv"
WHOLE = [
    ("cirr", "cirr", {}, 4181, 2297),
    ("cirr", "cirr", {"gallery": "subset"}, 4181, 2297),
    ("fashioniq", "fashioniq", {}, 6016, 15415),
    ("fashioniq", "fashioniq", {"category": "dress"}, 2017, 3817),
    ("fashioniq", "fashioniq", {"category": "dress", "gallery": "val"}, 2017, 2628),
    ("fashioniq", "fashioniq", {"category": "shirt"}, 2038, 6346),
    ("fashioniq", "fashioniq", {"category": "shirt", "gallery": "val"}, 2038, 3089),
    ("fashioniq", "fashioniq", {"category": "toptee"}, 1961, 5373),
    ("fashioniq", "fashioniq", {"category": "toptee", "gallery": "val"}, 1961, 2902),
    ("circo", "circo", {"gallery": "named"}, 220, 1121),
    ("egocvr", "egocvr", {"reference": "keep"}, 2295, 10666),
    ("msrvtt", "msrvtt", {}, 1000, 1000),
    ("msrvtt", "msrvtt", {"direction": "video-to-text"}, 1000, 1000),
    ("msrvtt", "msrvtt", {"split": "full"}, 59_800, 2990),
    ("msrvtt", "msrvtt", {"split": "val"}, 9940, 497),
    ("msrvtt", "msrvtt", {"split": "7k"}, 140_200, 7010),
    ("msrvtt", "msrvtt", {"split": "9k"}, 180_000, 9000),
    ("lsmdc", "lsmdc", {}, 1000, 1000),
    ("activitynet", "activitynet", {}, 4917, 4917),
    ("activitynet", "activitynet", {"unit": "sentence"}, 17_505, 4917),
    ("didemo", "didemo", {}, 1004, 1004),
    ("didemo", "didemo", {"unit": "sentence"}, 3932, 1004),
]


@pytest.fixture
def load(real_data):
    """The task of a benchmark's real files."""

    def of_files(name, path, **options):
        config = BENCHMARKS.config(name, {"annotations": str(real_data / path), **options})
        return BENCHMARKS.get(name).load(config)

    return of_files


@pytest.mark.parametrize(("name", "path", "options", "queries", "gallery"), WHOLE)
def test_published_files_are_whole(load, name, path, options, queries, gallery):
    task = load(name, path, **options)
    assert (len(task.queries), len(task.gallery)) == (queries, gallery)


def test_half_a_file_of_webvid_covr_is_refused_unless_it_is_asked_for(load):
    with pytest.raises(CvrError, match="has 1278 queries, not 2556; 1278 gallery videos, not 2556"):
        load("webvid-covr", HALF)
    task = load("webvid-covr", HALF, counts="any")
    assert (len(task.queries), len(task.gallery)) == (1278, 1278)


def test_nine_queries_of_egocvr_ask_for_their_own_reference(load):
    task = load("egocvr", "egocvr", gallery="same-video")
    assert len(task.queries) == 2286
    assert task.left_out == {"queries whose only target is their reference": 9}
    assert max(len(ids) for ids in task.targets.values()) == 10
    with pytest.raises(CvrError, match=r"egocvr_annotations_gallery\.csv is not in"):
        load("egocvr", "egocvr", gallery="local")


def test_circo_has_four_targets_per_query_on_average(load):
    targets = [len(ids) for ids in load("circo", "circo", gallery="named").targets.values()]
    assert sum(targets) / len(targets) == pytest.approx(4.164, abs=5e-4)
    assert (min(targets), max(targets)) == (1, 14)


def test_a_test_of_1k_a_repeats_five_captions(load):
    assert len({query.modification for query in load("msrvtt", "msrvtt").queries}) == 995
    assert len({query.modification for query in load("lsmdc", "lsmdc").queries}) == 995


@pytest.mark.parametrize(
    ("name", "path", "message"),
    [
        ("circo", "circo", r"image_info_unlabeled2017\.json .* is not in"),
        ("msvd", "msvd", r"raw-captions\.pkl is not in"),
        ("vatex", "vatex", r"vatex_validation_v1\.0\.json is not in"),
    ],
)
def test_what_is_missing_beside_real_files_is_named(load, name, path, message):
    with pytest.raises(CvrError, match=message):
        load(name, path)


@pytest.mark.parametrize(
    ("name", "split", "count"), [("msvd", "test", 670), ("msvd", "val", 100), ("vatex", "test", 1500)]
)
def test_lists_have_the_published_counts(real_data, name, split, count):
    assert len(real_data.joinpath(name, f"{split}_list.txt").read_text().split()) == count


def test_blind_splits_have_their_queries(real_data):
    def blind(name, path, **options):
        config = BENCHMARKS.config(name, {"annotations": str(real_data / path), **options})
        return BENCHMARKS.get(name).load_blind(config)

    cirr = blind("cirr", "cirr", split="test1")
    assert (len(cirr.queries), len(cirr.gallery)) == (4148, 2315)
    challenge = blind("dense-webvid-covr", "covr_vidllm", split="challenge-val")
    assert len(challenge.queries) == 1000
    with pytest.raises(CvrError, match="only the challenge is blind"):
        blind("dense-webvid-covr", "covr_vidllm")
