"""data_choice: several benchmarks in one call, a table each, and a line for what is not here."""

import json
import shutil

import pytest

from cvr_bench.data.benchmark import data_option_names
from cvr_bench.data.sources import sample_data_folder
from tests.feature_folders import embed_ids, embed_videos

pytestmark = pytest.mark.slow

SAMPLES = sample_data_folder() / "samples"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with two benchmarks, features of one of them beside it, and nothing else."""
    for name in ("webvid-covr", "dense-webvid-covr"):
        shutil.copytree(SAMPLES / name, tmp_path / "data" / name)
    made = embed_videos(tmp_path / "features", SAMPLES / "webvid-covr" / "webvid8m-covr_test.csv")
    shutil.copytree(made, tmp_path / "data" / "webvid-covr" / "features" / "hash")
    monkeypatch.setenv("CVR_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_of_several_has_a_table_and_what_is_missing_costs_a_line(cvr, machine):
    words = ["-d", "webvid-covr", "-d", "dense-webvid-covr", "-d", "egocvr", "-D", "counts=any"]
    outcome = cvr.done("bench", "-m", "sum", "-m", "constant", *words)
    assert outcome.out.count("(chance)") == 1 and "webvid-covr-test (test): " in outcome.out
    lines = outcome.err.splitlines()
    assert any(line.startswith("dense-webvid-covr is not scored: ") and "pass --embeddings" in line for line in lines)
    assert any(line.startswith("egocvr is not scored: annotation/egocvr") for line in lines)
    assert len([line for line in lines if "is not scored" in line]) == 2
    assert (machine / "results" / "sum-webvid-covr" / "result.json").exists()


def test_all_names_every_benchmark_and_test_is_another_name_of_data(cvr, machine):
    outcome = cvr.done("bench", "-m", "sum", "--test", "all", "-D", "counts=any", "--json")
    assert [entry["task"]["name"] for entry in json.loads(outcome.out)] == ["webvid-covr-test"]
    missing = {line.split()[0] for line in outcome.err.splitlines() if "is not scored" in line}
    assert missing == set(data_option_names()) - {"webvid-covr"}


def test_the_features_given_are_those_of_all(cvr, machine):
    text = (SAMPLES / "dense-webvid-covr" / "dense-webvid8m-covr_test.csv").read_text().splitlines()
    names = {name for line in text for name in line.split(",") if "/" in name}
    rows = (SAMPLES / "webvid-covr" / "webvid8m-covr_test.csv").read_text().splitlines()
    names |= {name for line in rows for name in line.split(",") if "/" in name}
    both = embed_ids(machine / "both", names)
    words = ["-d", "webvid-covr", "-d", "dense-webvid-covr", "-D", "counts=any", "-e", both]
    outcome = cvr("bench", "-m", "sum", *words)
    assert outcome.code == 0 and "is not scored" not in outcome.err, outcome.err
    assert outcome.out.count("(chance)") == 2


def test_one_benchmark_finds_its_features_on_this_machine(cvr, machine):
    outcome = cvr("bench", "-m", "sum", "-d", "webvid-covr", "-D", "counts=any")
    assert "features from" in outcome.out and "webvid-covr/features/hash" in outcome.out, outcome.err


def test_mistakes_are_one_line(one_line_error, machine):
    several = ["bench", "-m", "sum", "-d", "webvid-covr", "-d", "egocvr"]
    assert "None of the data sets has the option 'colour=red'" in one_line_error(*several, "-D", "colour=red")
    assert "annotations=FOLDER belongs to one benchmark" in one_line_error(*several, "-D", "annotations=x")
    assert "None of 2 data sets can be scored" in one_line_error("bench", "-m", "sum", "-d", "egocvr", "-d", "tf-covr")
    assert "annotation/egocvr" in one_line_error("bench", "-m", "sum", "-d", "egocvr")
    assert "Unknown name 'summ' in models" in one_line_error("bench", "-m", "summ", "-d", "all")
    assert "fdca has to be trained" in one_line_error("bench", "-m", "fdca", "-d", "webvid-covr", "-D", "counts=any")


def test_two_features_of_one_benchmark_have_to_be_chosen_from(one_line_error, machine):
    features = machine / "data" / "webvid-covr" / "features"
    shutil.copytree(features / "hash", features / "other")
    line = one_line_error("bench", "-m", "sum", "-d", "webvid-covr", "-D", "counts=any")
    assert "features/hash" in line and "features/other; pass --embeddings" in line
