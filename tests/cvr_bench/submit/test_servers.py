"""blind, submissions: the best items of a blind split, and what a server would refuse."""

import json

import pytest

from cvr_bench.benchmarks import cirr
from cvr_bench.data.sources import sample_data_folder
from cvr_bench.models import MODELS
from cvr_bench.submit.servers import (
    check_circo_submission,
    check_cirr_submission,
    circo_submission,
    cirr_submission,
    write_submission,
)
from cvr_bench.submit.submit import submission_answers
from cvr_bench.tasks.task import Item, Query, Task
from cvr_data.core.errors import CvrError
from cvr_data.media.video import Video
from tests.scored_by import ScoredBy

GALLERY = [Item(str(number), Video(str(number))) for number in range(60)]
QUERIES = [Query("0", GALLERY[7], "x"), Query("1", GALLERY[9], "y")]
BY_NUMBER = ScoredBy(lambda _, name: int(name))


def blind(**changes):
    return Task(**{"name": "toy", "queries": QUERIES, "gallery": GALLERY, **changes})


def random_model():
    component = MODELS.get("random")
    return component.load(component.TINY, None)


def test_the_best_items_come_first_without_the_reference():
    best = submission_answers(BY_NUMBER, blind(), 55, chunk=1)
    assert best["0"] == [str(number) for number in range(59, 3, -1) if number != 7]
    assert "9" not in best["1"]


def test_of_equal_scores_the_smaller_id_comes_first():
    best = submission_answers(ScoredBy(lambda *_: 0.0), blind(), 3)
    assert best == {"0": ["0", "1", "10"], "1": ["0", "1", "10"]}


def test_candidates_bound_what_is_ranked():
    candidates = {"0": frozenset({"7", "3", "5"}), "1": frozenset({"9", "1", "2"})}
    assert submission_answers(BY_NUMBER, blind(candidates=candidates), 2) == {"0": ["5", "3"], "1": ["2", "1"]}
    with pytest.raises(CvrError, match="query 0, 1 has fewer than 3 items"):
        submission_answers(BY_NUMBER, blind(candidates=candidates), 3)


def test_a_gallery_that_a_server_keeps_cannot_be_ranked():
    with pytest.raises(CvrError, match="its gallery is not published"):
        submission_answers(BY_NUMBER, blind(gallery=()), 1)


def test_nan_scores_are_an_error():
    with pytest.raises(CvrError, match="A score of query 0, 1 is NaN or infinite"):
        submission_answers(ScoredBy(lambda *_: float("nan")), blind(), 1)


def test_a_circo_submission_holds_fifty_numbers_per_query(tmp_path):
    submission = circo_submission(submission_answers(random_model(), blind(), 50), blind())
    assert [len(ids) for ids in submission.values()] == [50, 50]
    check_circo_submission(submission, blind())
    write_submission(tmp_path / "new" / "circo.json", submission)
    assert json.loads((tmp_path / "new" / "circo.json").read_text()) == submission


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda answers: answers.pop("1"), "query 1 has no answer"),
        (lambda answers: answers.update({"2": answers["0"]}), "query 2 is not in the split"),
        (lambda answers: answers["0"].pop(), "query 0 has 49 answers, not 50"),
        (lambda answers: answers["0"].__setitem__(0, answers["0"][1]), "query 0 has an answer twice"),
        (lambda answers: answers["1"].__setitem__(0, 999), "query 1 answers 999, which it is not ranked against"),
        (lambda answers: answers["1"].__setitem__(0, "x"), "those of query 1 are not"),
    ],
)
def test_what_the_server_of_circo_refuses_is_refused(change, message):
    submission = circo_submission(submission_answers(random_model(), blind(), 50), blind())
    change(submission)
    with pytest.raises(CvrError, match=message):
        check_circo_submission(submission, blind())


def test_a_subset_submission_of_cirr_names_the_three_best_of_each_set():
    folder = sample_data_folder() / "samples" / "cirr"
    task = cirr.load_blind(cirr.Config(annotations=folder, split="test1", gallery="subset", counts="any"))
    submission = cirr_submission("recall_subset", submission_answers(random_model(), task, 3), task)
    assert (submission["version"], submission["metric"]) == ("rc2", "recall_subset")
    assert set(submission) == {"version", "metric", "21", "22"}
    assert all(set(submission[query.query_id]) <= task.candidates[query.query_id] for query in task.queries)
    for field, value, message in (
        ("version", "rc1", "version should be 'rc2'"),
        ("metric", "recal", "Did you mean: recall"),
        ("metric", "recall", "recall_subset goes with gallery=subset"),
    ):
        with pytest.raises(CvrError, match=message):
            check_cirr_submission({**submission, field: value}, task)


def test_a_file_that_the_server_would_not_take_is_not_written(tmp_path):
    with pytest.raises(CvrError, match="are more than the 5000000"):
        write_submission(tmp_path / "large.json", {"0": ["x" * 5_000_001]})
    assert not (tmp_path / "large.json").exists()


@pytest.mark.data
@pytest.mark.parametrize(("metric", "gallery"), [("recall", "listed"), ("recall_subset", "subset")])
def test_the_demo_files_of_cirr_pass(real_data, metric, gallery):
    task = cirr.load_blind(cirr.Config(annotations=real_data / "cirr", split="test1", gallery=gallery))
    check_cirr_submission(
        json.loads((real_data / "cirr" / "demo_files" / f"test1_pred_ranks_{metric}.json").read_text()), task
    )


@pytest.mark.data
def test_the_example_of_circo_passes(real_data):
    answers = json.loads((real_data / "circo" / "submission_examples" / "submission_val.json").read_text())
    image_ids = sorted({str(image_id) for ids in answers.values() for image_id in ids})
    queries = [Query(str(number), None, "x") for number in range(220)]
    check_circo_submission(answers, blind(queries=queries, gallery=[Item(name, Video(name)) for name in image_ids]))
