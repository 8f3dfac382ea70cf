"""cycle check: the caption changed as the text says, scores that tell good texts from others, verdicts, thresholds."""

import json
import random

import numpy as np
import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.modifications.checking.cycle import modification_cycle_scores, rewritten
from cvr_data.modifications.checking.judge import Judge, JudgeConfig
from cvr_data.modifications.checking.score import Config, score_modifications
from cvr_data.modifications.generate import generate_modifications
from cvr_data.modifications.generator import Config as GenerateConfig
from cvr_data.tables import PAIRS
from tests.dataset_folders import mined_pair, write_artifact

ROWS = [
    ("a man plays a guitar", "a man plays a piano", "object", "guitar", "piano"),
    ("a red ball bounces", "a blue ball bounces", "attribute", "red", "blue"),
    ("a dog sleeps on a sofa", "a cat sleeps on a sofa", "object", "dog", "cat"),
]


@pytest.mark.parametrize(
    ("reference", "text", "expected"),
    [
        ("Cows on pasture", "replace cow with goat", "goat on pasture"),
        ("a red ball", "make it blue instead of red", "a it blue ball"),
        ("a red ball", "make the ball blue", "a red ball, the blue"),
        ("a man sleeps", "the man reads, not sleeps", "a man the reads"),
        ("a ball falls down", "take out down and add up", "a ball falls up"),
        ("a man in a hat", "remove the hat", "a man in a"),
        ("a red ball", "make the ball red", "a red ball"),
        ("a red ball", "", "a red ball"),
    ],
)
def test_the_caption_is_changed_as_the_text_says(reference, text, expected):
    assert rewritten(reference, text) == expected


@pytest.fixture
def texts(tmp_path):
    rows = []
    for number, (reference, target, slot, before, after) in enumerate(ROWS):
        change = {"kind": "static", "slot": slot, "before": before, "after": after}
        rows.append(mined_pair((f"r{number}", f"t{number}"), (reference, target), changes=[change]))
    write_artifact(tmp_path / "pairs", "mine-pairs", rows, PAIRS)
    config = GenerateConfig(backend="echo", options=("text=$after instead of $before", "fail=cat"))
    return generate_modifications(tmp_path / "pairs", tmp_path / "mods", config, cache=tmp_path / "c.sqlite").path


def score(texts, out="scored", **config):
    return score_modifications(texts, texts.parent / out, Config(**config), cache=texts.parent / "c.sqlite")


def test_good_texts_gain_and_rows_that_were_not_accepted_have_no_score(texts):
    before = open_artifact(texts).read()
    scored = score(texts).read()
    assert scored.select(before.column_names).equals(before)
    gains, alone = scored["cycle_gain"].to_pylist(), scored["text_score"].to_pylist()
    assert gains[2] is None and alone[2] is None
    assert all(gain > 0.05 for gain in gains[:2])
    assert all(value > 0.95 for value in scored["cycle_score"].to_pylist()[:2])


def test_a_threshold_rejects_with_its_reason_and_keeps_the_scores(texts):
    artifact = score(texts, min_gain=0.05, max_text_score=0.1)
    rows = artifact.read().to_pylist()
    assert [row["status"] for row in rows] == ["rejected", "rejected", "error"]
    assert rows[0]["reasons"] == ["text_finds_target"] and rows[0]["cycle_gain"] > 0.05
    assert artifact.manifest["reasons"]["text_finds_target"] == 2
    assert artifact.manifest["status"] == {"error": 1, "rejected": 2}
    assert score(texts, min_gain=0.05, max_text_score=0.1).manifest == artifact.manifest


def answer(verdict):
    return "text=" + json.dumps({"verdict": verdict, "reason": "because"})


def test_a_judge_s_verdict_is_a_column_and_rejects_if_told_to(texts):
    judge = JudgeConfig(backend="echo", options=(answer("too_broad"),))
    kept = score(texts, judge=judge).read()
    assert kept["judge_verdict"].to_pylist() == ["too_broad", "too_broad", None]
    assert kept["judge_reason"].to_pylist()[:2] == ["because"] * 2
    assert kept["status"].to_pylist() == ["ok", "ok", "error"]
    artifact = score(texts, "strict", judge=judge, reject=("too_broad", "wrong"))
    assert artifact.read()["reasons"].to_pylist()[:2] == [["judged_too_broad"]] * 2
    assert artifact.manifest["verdicts"] == {"too_broad": 2}
    assert artifact.manifest["requests"]["asked"] == 2


@pytest.mark.parametrize(("text", "reason"), [("text=fine", "unparsable"), (answer("fine"), "schema")])
def test_an_answer_outside_the_rubric_is_no_verdict(text, reason):
    judge = Judge(JudgeConfig(backend="echo", options=(text,), attempts=2))
    found = judge.verdicts(["a red ball"], ["make it blue"], ["a blue ball"]).to_pylist()
    assert found == [{"judge_verdict": None, "judge_reason": reason}]
    assert judge.asker.tally.asked == 2


def test_mistakes_are_told_in_one_line(texts):
    with pytest.raises(CvrError, match="Unknown verdict 'bad'; there are valid, wrong"):
        Config(judge=JudgeConfig(backend="echo"), reject=("bad",))
    with pytest.raises(CvrError, match="add --judge-backend"):
        Config(reject=("wrong",))
    with pytest.raises(CvrError, match="'short' is no judge"):
        Judge(JudgeConfig(backend="echo", prompt="short"))


def test_an_option_of_no_judge_is_refused(texts, one_line_error):
    assert "belongs to --judge-backend" in one_line_error("score-modifications", texts, "--judge-option", "text=x")


def test_the_command_prints_counts_and_the_sample_shows_the_scores(cvr, texts):
    outcome = cvr.done("score-modifications", texts, "--min-gain", "0.9")
    assert outcome.out.startswith(f"{texts}-scored: 3 texts") and "low_cycle_gain" in outcome.out
    assert "cycle_gain" in cvr("sample", f"{texts}-scored").out


@pytest.mark.data
def test_the_gain_tells_people_s_texts_from_shuffled_ones(real_data):
    import csv

    with (real_data / "webvid_covr" / "webvid8m-covr_test.half.csv").open(encoding="utf-8") as file:
        rows = [(row["txt1"], row["edit"], row["txt2"]) for row in csv.DictReader(file)][:200]
    references, texts, targets = (list(column) for column in zip(*rows, strict=True))
    shuffled = texts[:]
    random.Random(0).shuffle(shuffled)
    own, other = (
        modification_cycle_scores(references, each, targets)["cycle_gain"].to_numpy() for each in (texts, shuffled)
    )
    # The area under the curve by its definition: a text's own gain beats another's, ties count half.
    wins = (own[:, None] > other).mean() + (own[:, None] == other).mean() / 2
    assert wins > 0.93
    assert np.mean(own >= 0.02) > 0.65 and np.mean(other >= 0.02) < 0.05
