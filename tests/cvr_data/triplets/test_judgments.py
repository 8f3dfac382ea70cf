"""judgments: votes become verdicts, verdicts keep, drop and reword texts, and add targets found to be correct too."""

import json
from collections import Counter

import pytest

from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.review.items import read_reviewed
from cvr_data.review.store import Judgment, ReviewStore
from cvr_data.triplets.judgments import Verdict, triplet_verdict, triplet_verdicts_of_folder
from tests.dataset_folders import write_texts


def vote(decision, *, reason=None, chosen="a", modification=None, also=()):
    is_kept = decision in ("accept", "edit")
    return {"decision": decision, "reason": reason, "chosen": chosen if is_kept else None,
            "modification": (modification or chosen) if is_kept else None, "also_correct": list(also)}  # fmt: skip


@pytest.mark.parametrize(
    ("votes", "verdict"),
    [
        ([], None),
        ([vote("skip")], None),
        ([vote("accept")], Verdict(chosen="a", modification="a")),
        ([vote("accept"), vote("skip")], Verdict(chosen="a", modification="a")),
        ([vote("accept"), vote("reject", reason="other")], Verdict(reason="review_disputed")),
        ([vote("accept"), vote("reject", reason="other"), vote("reject", reason="too_alike"),
          vote("reject", reason="too_alike")], Verdict(reason="review_too_alike")),
        ([vote("accept"), vote("accept", chosen="b"), vote("accept", chosen="b")],
         Verdict(chosen="b", modification="b")),
        ([vote("edit", modification="a!"), vote("accept", chosen="b")], Verdict(chosen="b", modification="b")),
        ([vote("edit", modification="a!"), vote("edit", modification="a!"), vote("accept", chosen="b")],
         Verdict(chosen="a", modification="a!")),
        ([vote("accept", also=["v"]), vote("accept", also=["v", "w"]), vote("accept")],
         Verdict(chosen="a", modification="a", also_correct=("v",))),
    ],
)  # fmt: skip
def test_votes_come_to_one_verdict_in_any_order(votes, verdict):
    assert triplet_verdict(votes) == triplet_verdict(votes[::-1]) == verdict


@pytest.fixture
def texts(tmp_path):
    """Texts of four pairs: r1 -> b1, r1 -> g1 (train), r2 -> b2 (test), and b2 -> r2, which was rejected by lint."""
    return write_texts(tmp_path)


@pytest.fixture
def judge(texts, tmp_path, cvr):
    """Store judgments by target and return the folder they were exported to."""

    def run(answer="accept", **of_target):
        with ReviewStore(tmp_path / "review.sqlite") as store:
            items = read_reviewed(texts).items
            store.settle({"key": "k", "split": "all"}, items)
            for item in items:
                made = {"decision": "skip", **of_target.get(item.target_id, {})}
                kept = {"chosen": item.texts[0], "modification": item.texts[0]}
                values = {**(kept if made["decision"] in ("accept", "edit") else {}), **made}
                store.add(Judgment(request_id=item.item_id, annotator="ann", item_id=item.item_id, is_shared=False,
                                   judged_at="now", seconds=2.0, **values))  # fmt: skip
        outcome = cvr("export-judgments", tmp_path / "review.sqlite", "-O", tmp_path / "judgments")
        assert (outcome.code, outcome.out) == (0, f"{tmp_path / 'judgments'}: 3 judgments\n"), outcome
        return tmp_path / "judgments"

    return run


def build(cvr, texts, judgments, out, *words):
    cvr.done("build-triplets", texts, "--judgments", judgments, "-O", out, *words)
    artifact = open_artifact(out)
    assert verify(out) == []
    return artifact.read().to_pylist(), dict(Counter(row["drop_reason"] for row in artifact.dropped().to_pylist()))


def test_texts_are_kept_dropped_and_reworded(judge, texts, tmp_path, cvr):
    judgments = judge(
        b1={"decision": "accept"}, g1={"decision": "reject", "reason": "too_broad"},
        b2={"decision": "edit", "modification": "paint the cube blue"},
    )  # fmt: skip
    kept, dropped = build(cvr, texts, judgments, tmp_path / "out")
    assert dropped == {"copied": 1, "review_too_broad": 1}
    assert {(row["target_id"], row["modification"], row["backend"], row["model"]) for row in kept} == {
        ("b1", "make it blue", "rules", "rules"), ("b2", "paint the cube blue", "review", "rules"),
    }  # fmt: skip
    funnel = open_artifact(tmp_path / "out").manifest["funnel"]
    assert [step["stage"] for step in funnel] == [
        "import-tiny", "mine-pairs", "generate-modifications", *["build-triplets"] * 4,
    ]  # fmt: skip


def test_a_target_found_to_be_correct_too_becomes_a_triplet_of_the_same_query(judge, texts, tmp_path, cvr):
    judgments = judge(b1={"decision": "accept", "also_correct": ("g1",)})
    kept, _ = build(cvr, texts, judgments, tmp_path / "out")
    blue = [row for row in kept if row["modification"] == "make it blue" and row["reference_id"] == "r1"]
    assert {row["target_id"] for row in blue} == {"b1", "g1"}
    assert len({row["query_id"] for row in blue}) == 1
    [added] = [row for row in blue if row["target_id"] == "g1"]
    assert (added["target_caption"], added["split"]) == ("a green ball", "train")
    assert len({row["triplet_id"] for row in kept}) == len(kept) == 4


def test_the_pair_of_a_further_target_is_made_where_there_is_none(judge, texts, tmp_path):
    judgments = judge(b2={"decision": "accept", "also_correct": ("g1",)})
    tables = [open_artifact(path).read() for path in (texts, tmp_path / "pairs", tmp_path / "videos")]
    judged, pairs = triplet_verdicts_of_folder(judgments).apply(*tables)
    [added] = pairs.to_pylist()[4:]
    assert (added["reference_id"], added["target_id"], added["strategy"]) == ("r2", "g1", "review")
    assert (added["changes"], added["target_caption"], added["split"]) == ([], "a green ball", "test")
    assert [row["modification"] for row in judged.to_pylist() if row["pair_id"] == added["pair_id"]] == ["make it blue"]


def test_texts_nobody_judged_stay_unless_asked_otherwise(judge, texts, tmp_path, cvr, one_line_error):
    judgments = judge(b1={"decision": "accept"})
    assert len(build(cvr, texts, judgments, tmp_path / "all")[0]) == 3
    kept, dropped = build(cvr, texts, judgments, tmp_path / "judged", "--judged-only")
    assert [row["target_id"] for row in kept] == ["b1"]
    assert dropped == {"copied": 1, "not_reviewed": 2}
    assert "--judged-only needs --judgments" in one_line_error("build-triplets", texts, "--judged-only")


def test_other_texts_of_a_judged_pair_go(judge, texts, tmp_path):
    judgments = judge(b1={"decision": "accept"})
    (tmp_path / "again").mkdir()
    others = open_artifact(write_texts(tmp_path / "again", verb="turn it")).read()
    judged, _ = triplet_verdicts_of_folder(judgments).apply(others, open_artifact(tmp_path / "pairs").read(), None)
    assert judged["reasons"].to_pylist() == [["review_not_chosen"], [], [], ["copied"]]


def test_what_judges_other_texts_is_refused(judge, tmp_path, one_line_error):
    judgments = judge(b1={"decision": "accept"})
    (tmp_path / "other").mkdir()
    other = write_texts(tmp_path / "other", style="dense")
    words = ("build-triplets", other, "-O", tmp_path / "out", "--judgments")
    assert "judges none of these texts" in one_line_error(*words, judgments)
    assert "column 'judgment_id' is missing" in one_line_error(*words, tmp_path / "videos")


def test_an_export_is_made_anew_when_more_was_judged(judge, texts, tmp_path, cvr, one_line_error):
    judge(b1={"decision": "accept"})
    same = cvr("export-judgments", tmp_path / "review.sqlite", "-O", tmp_path / "judgments")
    assert same.out.endswith("3 judgments\n")
    with ReviewStore(tmp_path / "review.sqlite") as store:
        store.undo("ann", store.last_of("ann"))
    words = ("export-judgments", tmp_path / "review.sqlite", "-O", tmp_path / "judgments")
    assert "use --overwrite" in one_line_error(*words)
    assert cvr(*words, "--overwrite").out.endswith("2 judgments\n")
    assert "does not exist" in one_line_error("export-judgments", tmp_path / "gone.sqlite")


def test_the_report_counts_what_was_said(judge, tmp_path, cvr):
    judge(b1={"decision": "accept"}, g1={"decision": "reject", "reason": "too_broad"})
    outcome = cvr("review-report", tmp_path / "review.sqlite")
    lines = outcome.out.splitlines()
    assert lines[0].endswith("3 of 3 items judged, 3 judgments, 0 undone")
    assert lines[2].split() == ["ann", "3", "1", "0", "1", "1", "2.0", "-"]
    numbers = json.loads(cvr("review-report", tmp_path / "review.sqlite", "--json").out)
    assert numbers["reasons"] == {"too_broad": 1}
    assert numbers["verdicts"] == {"keep": 1, "review_too_broad": 1}
    assert numbers["agreement"]["usable"]["krippendorff_alpha"] is None
