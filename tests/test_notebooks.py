"""The notebooks of docs run as they stand, and the functions they call are those of the commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import cvr_bench
import cvr_data
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
CAPTIONS = [
    ("a", "a dog runs on the beach", "train"), ("b", "a cat runs on the beach", "train"),
    ("c", "a red car drives down the road", "test"), ("d", "a blue car drives down the road", "test"),
]  # fmt: skip


@pytest.fixture
def videos():
    return pd.DataFrame(CAPTIONS, columns=["video_id", "caption", "split"])


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_its_first_cell_to_its_last(path, tmp_path):
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert len(cells) > 4 and all(not cell["outputs"] for cell in cells)
    code = "\n\n".join("".join(cell["source"]) for cell in cells)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert not [entry for entry in tmp_path.iterdir() if entry.name.startswith(("pairs", "modifications", "results"))]


def test_a_frame_goes_through_all_stages_and_may_be_filtered_in_between(videos):
    pairs = cvr_data.mine_pairs(videos, filters=["-text-similarity"])
    assert {(row.reference_id, row.target_id) for row in pairs.itertuples()} == {
        ("a", "b"), ("b", "a"), ("c", "d"), ("d", "c"),
    }  # fmt: skip
    texts = cvr_data.write_modifications(pairs)
    some = texts[texts["pair_id"].isin(pairs[pairs["reference_id"] == "c"]["pair_id"])]
    triplets = cvr_data.build_triplets(some)
    assert [(row.reference_id, row.target_id, row.split) for row in triplets.itertuples()] == [("c", "d", "test")]
    task = cvr_bench.load_benchmark(triplets)
    assert [item.item_id for item in task.gallery] == ["c", "d"]


def test_equal_calls_are_one_artifact_and_a_folder_is_taken_as_it_is(videos):
    first, second = (cvr_data.mine_pairs(videos, filters=["-text-similarity"]) for _ in range(2))
    assert first.attrs == second.attrs
    folder = first.attrs["cvr_folder"]
    assert open_artifact(folder).stage == "mine-pairs"
    assert cvr_data.write_modifications(folder).equals(cvr_data.write_modifications(first))


def test_scores_of_any_system_are_ranked_as_a_plain_sort_ranks_them(videos):
    pairs = cvr_data.mine_pairs(videos.assign(split="test"), filters=["-text-similarity"])
    task = cvr_bench.load_benchmark(cvr_data.build_triplets(cvr_data.write_modifications(pairs)))
    scores_QG = np.random.default_rng(1).standard_normal((len(task.queries), len(task.gallery)))
    found = cvr_bench.evaluate(scores_QG, task)
    for query, row in zip(task.queries, scores_QG, strict=True):
        rivals = {
            item.item_id: score for item, score in zip(task.gallery, row, strict=True)
            if item.item_id != query.reference.item_id
        }  # fmt: skip
        (target,) = task.targets[query.query_id]
        assert found["ranks"][query.query_id] == 1 + sum(score > rivals[target] for score in rivals.values())
    assert found["metrics"]["R@1"]["value"] == pytest.approx(
        100 * np.mean([rank == 1 for rank in found["ranks"].values()])
    )
    with pytest.raises(ValueError, match="scores should be floats"):
        cvr_bench.evaluate(scores_QG.T[:1], task)
    with pytest.raises(ValueError, match="finite"):
        cvr_bench.evaluate(np.full_like(scores_QG, np.nan), task)


def test_one_text_is_linted_against_two_captions():
    captions = ("a red car drives down the road", "a blue car drives down the road")
    assert cvr_data.check_text("make the car blue", *captions) == []
    assert cvr_data.check_text("make it night", *captions) == ["misses_change"]
    assert cvr_data.check_text("make the car green", *captions) == ["misses_change"]
    assert cvr_data.check_text("change it to a red car", *captions)


def test_a_table_without_captions_says_so():
    with pytest.raises(CvrError, match="column 'captions' is missing"):
        cvr_data.mine_pairs(pd.DataFrame({"video_id": ["a"], "text": ["x"]}))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"video_id": ["a", "b", "a", "d"]}, "ids come more than once: a. A list holds"),
        ({"video_id": [1.0, 2.0, 3.5, 4.0]}, "3.5 in column 'video_id' is no id"),
        ({"split": ["train", "Validation", None, "holdout"]}, "the split 'holdout' is none of train, val, test"),
    ],
)
def test_a_frame_that_no_import_would_take_is_refused(videos, changed, said):
    with pytest.raises(CvrError, match=said):
        cvr_data.mine_pairs(videos.assign(**changed))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (3, "a folder is needed, got int"),
        ([1], "a folder is needed, got list"),
        (pd.Series(["x"]), "a folder is needed, got Series"),
        (pd.DataFrame([["a", "x", "y"]], columns=["video_id", "captions", "captions"]), "'captions' is there twice"),
        (pd.DataFrame({"video_id": ["a"], "captions": [["\ud800"]]}), "has text that UTF-8 cannot hold"),
        (pd.DataFrame({"video_id": [], "captions": []}), "the table has no row"),
    ],
    ids=["number", "list", "series", "twice", "surrogate", "empty"],
)
def test_what_is_no_table_of_videos_is_one_line(given, said):
    with pytest.raises(CvrError, match=said) as told:
        cvr_data.read_videos(given)
    assert "\n" not in str(told.value)


def test_captions_of_few_values_and_batches_of_arrow_are_read_like_others(videos):
    expected = cvr_data.read_videos(videos)["captions"].map(list).tolist()
    batch = pa.RecordBatch.from_pandas(videos)
    words = pa.Table.from_pandas(videos)
    words = words.set_column(1, "caption", words["caption"].dictionary_encode())
    for same in (videos.astype({"caption": "category"}), batch, words):
        assert cvr_data.read_videos(same)["captions"].map(list).tolist() == expected


def test_a_dataset_is_published_from_a_frame_as_by_the_command(videos, capsys):
    pairs = cvr_data.mine_pairs(videos, filters=["-text-similarity"])
    triplets = cvr_data.build_triplets(cvr_data.write_modifications(pairs))
    cvr_data.publish(triplets, "you/mine", dry_run=True, private=False, licence=["frame=CC0-1.0"])
    assert "you/mine" in capsys.readouterr().out
    with pytest.raises(CvrError, match="No such option '--dry'"):
        cvr_data.publish(triplets, "you/mine", dry=True)


def test_ids_and_splits_of_a_frame_are_those_an_import_would_give(videos):
    read = cvr_data.read_videos(videos.assign(video_id=[1.0, 2.0, 3.0, 4.0], split=["Dev", "training", None, "TEST"]))
    assert read["video_id"].tolist() == ["1", "2", "3", "4"]
    assert read["split"].fillna("").tolist() == ["val", "train", "", "test"]


def test_what_is_dropped_is_said_and_a_file_that_changed_is_read_again(tmp_path, caplog):
    path = tmp_path / "clips.csv"
    path.write_text("video_id,caption\na,a dog runs\n")
    assert len(cvr_data.read_videos(path, corpus="table")) == 1 and not caplog.messages
    path.write_text("video_id,caption\na,a dog runs\nb,nothing like it\nc,\n")
    again = cvr_data.read_videos(path, corpus="table")
    assert again["video_id"].tolist() == ["a", "b"]
    assert caplog.messages == ["import-table: 2 rows, dropped: 1 no_caption"]
    assert cvr_data.mine_pairs(again, filters=["-text-similarity"]).empty
    assert "nothing is left" in caplog.messages[-1]


def test_features_of_the_default_encoder_lead_to_triplets_and_to_found_videos():
    videos = cvr_data.read_videos(corpus="synthetic", train=24, val=4, test=12, seed=1)
    features = cvr_data.embed(videos, size=96)
    with pytest.raises(CvrError, match="two spaces"):
        cvr_bench.search(videos, features, texts=["a red cube"])
    told = cvr_data.fit_heads(features, videos)
    assert told["split"] == "val" and told["queries"] > 0
    texts = cvr_data.write_modifications(cvr_data.mine_pairs(videos, embeddings=features))
    assert len(cvr_data.build_triplets(texts, embeddings=features)) > 0
    assert len(cvr_bench.search(videos, features, texts=["a red cube"], count=3)) == 3


def test_both_packages_are_imported_without_what_they_will_need():
    code = "import cvr_data, cvr_bench, sys; print([m for m in ('torch', 'pandas', 'pyarrow') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout.strip() == "[]"


def test_a_shown_frame_has_its_rows_and_clips(tmp_path):
    frame = cvr_data.read_videos(str(Path(ROOT) / "annotations/samples/folder"), corpus="folder")
    page = cvr_bench.show(frame)._repr_html_()
    assert page.count("<tr>") == 1 + len(frame) and page.count("<video ") == len(frame)
    assert "a grey square" in page
    assert "&lt;b&gt;" in cvr_bench.show(pd.DataFrame({"video_id": ["x"], "caption": ["<b>"]}))._repr_html_()


def test_functions_stay_callable_when_modules_of_their_names_are_imported():
    import cvr_bench.audit.run
    import cvr_bench.bench.bench
    import cvr_bench.search
    import cvr_data.publish.lay_out

    for function in (cvr_bench.audit, cvr_bench.bench, cvr_bench.search, cvr_data.publish):
        with pytest.raises(TypeError, match="argument"):
            function()
