"""why-not: many captions, few lines, and what a search never looked at told from its rows."""

import pytest

from cvr_data.pairs import why_not
from cvr_data.pairs.why_not import MOST, why_not_paired


def told(*verdicts):
    return [why_not._Told(f"a dog {number}", "a cat", verdict) for number, verdict in enumerate(verdicts)]


def test_verdicts_that_differ_in_numbers_and_words_alone_are_one_line_with_the_captions_most_alike():
    found = told("not a pair: 2 words differ, not one", "not a pair: 7 words differ, not one", "never proposed by x: y")
    found[1] = found[1]._replace(before="a cat runs")
    assert why_not._gathered_pair_verdicts(found) == [
        "'a dog 2' -> 'a cat': never proposed by x: y",
        "'a cat runs' -> 'a cat': not a pair: 7 words differ, not one (1 more of their captions likewise)",
    ]


def test_no_answer_is_longer_than_twenty_lines():
    lines = why_not._at_most([str(number) for number in range(99)])
    assert (len(lines), lines[-1]) == (MOST, "and 80 more")
    assert why_not._at_most(lines) == lines


@pytest.mark.engine
def test_what_a_search_did_not_look_at_is_told_by_how_far_it_reached(tmp_path, cvr):
    captions = [
        "a dog runs on the beach",
        "a dog runs on a beach now",
        "a dog ran on the beach",
        "rain falls",
        "snow falls",
    ]
    lines = [f"v{number},{caption}\n" for number, caption in enumerate(captions)]
    (tmp_path / "t.csv").write_text("video_id,caption\n" + "".join(lines))
    cvr.done("import", "table", tmp_path / "t.csv", "-O", tmp_path / "videos")
    options = ["-o", "text_encoder=hash", "-o", "low=-0.9", "-o", "k=1", "--filter", "none"]
    cvr.done("mine-pairs", tmp_path / "videos", "--strategy", "neighbors", *options, "-O", tmp_path / "pairs")
    found = why_not_paired(tmp_path / "pairs", "v0", "v3")
    assert len(found) == 2
    assert found[0].startswith("never compared by neighbors: v3 is not among the 1 nearest of v0; ")
    assert "(v1)" in found[0] or "(v2)" in found[0]


@pytest.mark.engine
def test_of_triplets_from_two_corpora_the_one_that_has_the_videos_answers(tmp_path, cvr, one_line_error):
    for name, (one, other) in {"a": ("dog", "cat"), "b": ("car", "bus")}.items():
        rows = f"{name}1,a red {one} is here now\n{name}2,a red {other} is here now\n"
        (tmp_path / f"{name}.csv").write_text(f"video_id,caption\n{rows}")
        cvr.done("import", "table", tmp_path / f"{name}.csv", "-O", tmp_path / f"videos-{name}")
        cvr.done("mine-pairs", tmp_path / f"videos-{name}", "-f", "min-words", "-O", tmp_path / f"pairs-{name}")
        cvr.done("generate-modifications", tmp_path / f"pairs-{name}", "--llm", "rules", "-O", tmp_path / name)
    cvr.done("build-triplets", tmp_path / "a", "--test-from", tmp_path / "b", "-O", tmp_path / "set")
    outcome = cvr("why-not", "b1", "b2", "--in", tmp_path / "set")
    assert (outcome.code, outcome.out.count("\n")) == (0, 1)
    assert outcome.out.startswith("kept: 'a red car is here now' -> 'a red bus is here now'")
    assert "has no video 'b2'" in one_line_error("why-not", "a1", "b2", "--in", tmp_path / "set")
