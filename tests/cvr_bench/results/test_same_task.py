"""same_task: other tasks are refused in one line that says what differs; what belongs to a model keeps none apart."""

import dataclasses

import pytest

from cvr_bench.models.random import RandomRetriever
from cvr_bench.results.compare import compare_results
from cvr_bench.results.result import read_result, write_result
from cvr_bench.scoring.evaluate import evaluate
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.errors import CvrError
from tests.benchmark_samples import sample_task


def scored(folder, task, reads=None):
    about = {"model": "random", "data": {"path": "p", "split": "test"}, "training": None, "reads": reads}
    with ArtifactWriter(folder, stage="bench", config={"folder": folder.name}) as writer:
        write_result(writer, task, evaluate(RandomRetriever(0), task), 0, about)
    return read_result(folder)


@pytest.mark.parametrize(
    ("name", "first", "second", "said"),
    [
        ("activitynet", "unit=paragraph", "unit=sentence", "unit: paragraph, not sentence"),
        ("egocvr", "gallery=local", "gallery=same-video", "candidates of "),
        ("egocvr", "", "text=modified-caption", "text_template: "),
        ("msrvtt", "", "direction=video-to-text", "direction: text-to-video, not video-to-text"),
    ],
)
def test_other_tasks_are_refused_in_one_line(name, first, second, said, tmp_path):
    results = [scored(tmp_path / str(place), sample_task(name, of)) for place, of in enumerate((first, second))]
    with pytest.raises(CvrError) as error:
        compare_results(*results)
    assert said in str(error.value) and "\n" not in str(error.value)
    assert results[0].task_key != results[1].task_key


def test_other_texts_of_the_same_queries_are_refused(tmp_path):
    task = sample_task("egocvr")
    texts = [dataclasses.replace(query, modification=f"{query.modification}!") for query in task.queries]
    other = dataclasses.replace(task, queries=texts)
    results = scored(tmp_path / "a", task), scored(tmp_path / "b", other)
    with pytest.raises(CvrError, match=rf"differ in text of {len(texts)} of {len(texts)} queries, such as .*!"):
        compare_results(*results)


def test_the_frames_a_model_reads_are_shown_and_keep_no_results_apart(tmp_path):
    task = sample_task("egocvr")
    results = scored(tmp_path / "a", task, {"frames": "4"}), scored(tmp_path / "b", task, {"frames": "15"})
    assert compare_results(*results).notes == ["they read other frames: 4, 15"]
    assert results[0].task_key == results[1].task_key
