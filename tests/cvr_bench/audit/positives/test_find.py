"""find-positives: against the exact truth of a world, with results, a judge's verdicts and people's."""

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cvr_bench.audit.positives.captions import GalleryCaptions
from cvr_bench.audit.positives.estimate import audit_estimate_of_unfound
from cvr_bench.audit.positives.find import Config, find_positives
from cvr_bench.results.result import write_result
from cvr_bench.scoring.evaluate import Ranks
from cvr_data.core.annotation_files import read_json
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.modifications.truth_texts import true_text
from cvr_data.review.items import read_reviewed
from cvr_data.tables import TRIPLETS, VIDEOS, query_id, triplet_id
from cvr_data.videos.synthetic.grammar import draw_synthetic_wording, synthetic_caption
from cvr_data.videos.synthetic.world import sample_synthetic_world
from tests.dataset_folders import write_artifact


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Clips without media, and one listed target for each query: what else answers it is not told."""
    folder = tmp_path_factory.mktemp("world")
    clips = [clip for clip in sample_synthetic_world({"train": 0, "val": 0, "test": 110}, 0)]
    concepts = {clip.video_id: clip.concept for clip in clips}
    videos = [{"video_id": clip.video_id, "captions": [clip.caption], "source": "synthetic", "split": "test"}
              for clip in clips]  # fmt: skip
    made = write_artifact(folder / "videos", "import-synthetic", videos, VIDEOS)
    rows = []
    for reference in clips:
        listed = set()
        for target in clips:
            if len(reference.concept.differences(target.concept)) != 1 or target.concept in listed:
                continue
            listed.add(target.concept)
            text = true_text(reference.concept, target.concept, split="test", key="k")
            rows.append({
                "triplet_id": triplet_id(reference.video_id, text, target.video_id), "split": "test", "style": "short",
                "query_id": query_id(reference.video_id, text), "reference_id": reference.video_id,
                "modification": text, "target_id": target.video_id,
                "reference_caption": reference.caption, "target_caption": target.caption,
            })  # fmt: skip
    write_artifact(folder / "triplets", "build-triplets", rows, TRIPLETS, videos=made)
    return folder, concepts


def answers(rows, concepts):
    """All right (query, video) beside the listed targets."""
    listed = {(row["query_id"], row["target_id"]) for row in rows}
    return {
        (row["query_id"], name)
        for row in rows
        for name, concept in concepts.items()
        if concept == concepts[row["target_id"]] and name != row["reference_id"]
    } - listed


@pytest.fixture(scope="module")
def found(world):
    folder, _ = world
    return find_positives(folder / "triplets", [], Config(sample=0), folder / "positives")


def test_captions_find_what_the_truth_has_and_nothing_else(world, found):
    folder, concepts = world
    rows = open_artifact(folder / "triplets").read().to_pylist()
    truth = answers(rows, concepts)
    made = {(row["query_id"], row["video_id"]) for row in found.read().to_pylist() if row["grade"] == 1}
    assert len(truth) > 20
    assert len(made & truth) >= 0.9 * len(made)
    assert len(made & truth) >= 0.8 * len(truth)


def test_captions_in_other_words_find_most_answers_no_wrong_one_and_contradict_none():
    at = random.Random(0)
    clips = sample_synthetic_world({"train": 0, "val": 0, "test": 40}, 1)
    concepts, captions = {}, {}
    for clip in clips:
        for number in range(2):
            name = f"{clip.video_id}-{number}"
            concepts[name] = clip.concept
            reworded = synthetic_caption(clip.concept, draw_synthetic_wording("test", at))
            captions[name] = [reworded if number else clip.caption]
    read = GalleryCaptions(captions)
    made = {(name, other) for name, [caption] in captions.items() for other in read.answering(caption) if other != name}
    truth = {(name, other) for name in captions for other in captions if concepts[name] == concepts[other]} - {
        (name, name) for name in captions
    }
    assert len(made & truth) >= 0.98 * len(made)
    assert len(made & truth) >= 0.8 * len(truth)
    assert not [pair for pair in truth if read.contradiction(pair[1], captions[pair[0]])]


def test_qrels_hold_targets_and_answers_with_their_grades(world, found):
    rows = open_artifact(world[0] / "triplets").read().to_pylist()
    lines = [line.split() for line in (found.path / "qrels.txt").read_text().splitlines()]
    grades = {(line[0], line[2]): int(line[3]) for line in lines}
    assert all(grades[row["query_id"], row["target_id"]] == 2 for row in rows)
    assert {*grades.values()} == {1, 2}
    assert verify(found.path) == []


def test_nothing_to_judge_makes_an_empty_queue(found):
    assert open_artifact(found.path / "queue").read().num_rows == 0
    assert read_json(found.path / "summary.json", dict)["unfound"] is None


def test_the_command_pools_a_result_and_makes_a_queue_that_people_can_review(world, tmp_path, cvr):
    folder, concepts = world
    result = _ranked(folder, tmp_path / "result", concepts)
    outcome = cvr.done("find-positives", folder / "triplets", "-r", result, "-o", "sample=5", "-O", tmp_path / "out")
    assert "how many are not found yet is not known" in outcome.out
    assert "R@1 R@5 R@10 plain" in outcome.out
    assert "need --save-scores" in outcome.out
    artifact = open_artifact(tmp_path / "out")
    rows = artifact.read().to_pylist()
    pooled = [row for row in rows if row["best_rank"]]
    assert {row["pooled_by"][0] for row in pooled} == {"result"}
    wrong = [row for row in pooled if row["grade"] == 0]
    assert wrong and all(row["judged_by"] == "caption" and ", not " in row["reason"] for row in wrong)
    queue = open_artifact(tmp_path / "out" / "queue").read()
    waiting = {(row["query_id"], row["video_id"]) for row in rows if row["grade"] is None or row["stratum"]}
    assert {(row["query_id"], row["target_id"]) for row in queue.to_pylist()} == waiting
    assert len(read_reviewed(tmp_path / "out" / "queue").items) <= len(waiting)


def _ranked(folder, out, concepts):
    """A result that ranks first what is most like the target; no model is needed for it."""
    from cvr_bench.benchmarks.triplets import Config as TripletsConfig
    from cvr_bench.benchmarks.triplets import load

    task = load(TripletsConfig(data=folder / "triplets", videos=(folder / "videos",)))
    tops, ranks, targets = [], [], []
    for query in task.queries:
        [target] = task.targets[query.query_id]
        unlike = {name: (len(concepts[target].differences(concept)), name) for name, concept in concepts.items()}
        order = sorted((name for name in unlike if name != query.reference.item_id), key=unlike.get)
        tops.append(order[:10])
        ranks.append(order.index(target) + 1)
        targets.append(target)
    count = len(task.queries)
    lists = {"target_ids": [[name] for name in targets], "target_ranks": [[rank] for rank in ranks], "top": tops,
             "top_scores": [[1.0] * 10] * count}  # fmt: skip
    columns = {name: pa.chunked_array([pa.array(values)]) for name, values in lists.items()}
    names = [query.query_id for query in task.queries]
    allowed = np.full(count, len(concepts) - 1)
    table = Ranks(query_ids=names, rank=np.array(ranks), ties=np.zeros(count, int), allowed=allowed, **columns)
    with ArtifactWriter(out, stage="bench", inputs={"triplets": Path(folder / "triplets")}) as writer:
        write_result(writer, task, table, 0, {"model": "truth", "options": {}})
    return out


@pytest.mark.parametrize(("verdict", "grade"), [("accept", 1), ("reject", 0)])
def test_what_people_say_counts_before_captions(world, tmp_path, verdict, grade):
    from cvr_bench.audit.positives.cells import Cell, QueryTexts, grade_audit_cells
    from cvr_bench.tasks.task import Item, Query
    from cvr_data.media.video import Video
    from cvr_data.triplets.judgments import Verdict

    query = Query("q", Item("r", Video("r")), "make it red")
    texts = {"q": QueryTexts(query=query, styles=frozenset({"short"}), reference_caption="", target_captions=())}
    kept = Verdict(chosen="make it red", modification="make it red")
    said = {("r", "v", "short"): kept if verdict == "accept" else Verdict(reason="review_other")}
    cells = {"q": {"v": Cell(grade=0, judged_by="caption"), "w": Cell()}}
    grade_audit_cells(cells, texts, said)
    assert (cells["q"]["v"].grade, cells["q"]["v"].judged_by) == (grade, "review")
    assert cells["q"]["w"].grade is None


def test_answers_that_the_sample_finds_are_found_and_no_longer_estimated():
    from cvr_bench.audit.positives.cells import Cell

    cells = {"q": {f"v{n}": Cell(grade=n == 0, judged_by="review", stratum="far") for n in range(10)}}
    estimate = audit_estimate_of_unfound(cells, {"near": 0, "far": 100}, 0)
    assert estimate.value == pytest.approx(9.0)  # one in ten of a hundred, and that one is known
    assert 0 <= estimate.low < 9 < estimate.high < 60


def test_a_result_of_other_queries_is_one_line(world, tmp_path, one_line_error):
    folder, concepts = world
    result = _ranked(folder, tmp_path / "result", concepts)
    rows = open_artifact(folder / "triplets").read().slice(0, 5).to_pylist()
    write_artifact(tmp_path / "few", "build-triplets", rows, TRIPLETS, videos=folder / "videos")
    line = one_line_error("find-positives", tmp_path / "few", "-r", result, "-O", tmp_path / "out")
    assert "which the triplets do not have" in line
