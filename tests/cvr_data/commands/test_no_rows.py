"""Every command on artifacts without a row: one line that says so, 0 where nothing is wrong, 2 where it cannot work."""

import json

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def empty(tmp_path, cvr):
    """The folder of `videos`, of which no two are alike, and of `pairs`, `texts` and `triplets` without a row."""
    path = tmp_path / "z.csv"
    path.write_text("video_id,caption,split\na,a dog runs here now,train\nb,the rain falls on all the town,train\n")
    texts = ("generate-modifications", tmp_path / "pairs", "--llm", "rules", "-O", tmp_path / "texts")
    for words in (
        ("import", "table", path, "--out", tmp_path / "videos"),
        ("mine-pairs", tmp_path / "videos", "-O", tmp_path / "pairs"),
        (*texts, "--cache", tmp_path / "requests.sqlite"),
        ("embed", tmp_path / "videos", "--encoder", "hash", "-O", tmp_path / "features"),
        ("build-triplets", tmp_path / "texts", "-O", tmp_path / "triplets"),
    ):
        outcome = cvr.done(*words)
    assert "nothing is left" in outcome.out
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sample", "texts"), "has no row"),
        (("stats", "triplets"), "Triplets"),
        (("why-not", "a", "b", "--in", "pairs"), "not a pair: 5 words against 7"),
        (("export", "triplets", "-f", "webvid-covr", "-O", "out"), "has no triplet, so the layout holds none"),
        (("export", "triplets", "-f", "huggingface", "-O", "out"), "has no triplet, so the layout holds none"),
        (("publish", "triplets", "--repo", "me/x", "--dry-run"), "has no triplet, so there is nothing to publish"),
        (("report", "--triplets", "triplets", "-O", "page.html"), "0 results"),
        (("score-modifications", "texts", "-O", "scored"), "0 texts"),
        (("verify", "triplets"), "good"),
        (("trace", "triplets"), "import table"),
        (("diff", "triplets", "triplets"), "alike"),
    ],
)
def test_what_shows_or_writes_says_that_there_is_nothing_and_ends_with_0(words, said, empty, cvr, monkeypatch):
    monkeypatch.chdir(empty)
    outcome = cvr.done(*words)
    assert said in outcome.out + outcome.err


def test_a_sample_of_nothing_is_an_empty_list_in_json(empty, cvr):
    assert json.loads(cvr("sample", empty / "texts", "--json").out) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("review", "triplets", "--port", "0"), "has no text to review"),
        (("publish", "triplets", "--repo", "me/x"), "has no triplet, so there is nothing to publish"),
        (("bench", "-m", "random", "-d", "triplets", "-e", "features"), "has no triplet of split 'test'"),
        (("mine-distractors", "triplets", "videos", "-O", "out"), "has no triplet of split 'test'"),
        (("explain", "x", "--in", "triplets"), "has no triplet 'x'"),
    ],
)
def test_what_needs_a_row_is_refused_in_one_line(words, said, empty, one_line_error, monkeypatch):
    monkeypatch.chdir(empty)
    assert said in one_line_error(*words)
