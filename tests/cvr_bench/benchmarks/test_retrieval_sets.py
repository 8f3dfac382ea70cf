"""The benchmarks of 2026, and any set in the layout of MTEB's retrieval: candidates, references, answers, damage."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cvr_bench.benchmarks import BENCHMARKS
from cvr_bench.results.result import result_ranks_table
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.scoring.measures import Measures
from cvr_data.core.errors import CvrError
from cvr_data.media.retrieval_set import RetrievalSet, is_retrieval_set
from cvr_data.media.stored_media import stored_media, write_medium
from tests.benchmark_samples import SAMPLES, sample_task


class InOrder:
    """Scores the items of a gallery by their place in it, the first one best, for every query."""

    def index(self, gallery):
        import torch

        self.scores_G = -torch.arange(len(gallery), dtype=torch.float32)

    def score(self, queries):
        return self.scores_G.expand(len(queries), -1)


def allowed(task, query_id):
    query = next(query for query in task.queries if query.query_id == query_id)
    return {item.item_id for item in task.gallery if task.is_allowed(query, item.item_id)}


def test_a_query_of_omnicvr_is_ranked_against_its_own_videos():
    task = sample_task("omnicvr")
    assert allowed(task, "1") == {"omni_4.mp4", "omni_5.mp4"}
    assert allowed(sample_task("omnicvr", "reference=keep"), "1") == {"omni_2.mp4", "omni_4.mp4", "omni_5.mp4"}
    assert allowed(sample_task("omnicvr", "gallery=corpus"), "1") == {item.item_id for item in task.gallery} - {
        "omni_2.mp4"
    }
    assert task.protocol.gallery == "candidates"
    assert task.slices == {"category": {"0": "audio-center", "1": "visual-center", "2": "integrated"}}


def test_mtebs_copy_of_omnicvr_is_the_same_task(tmp_path):
    """Columns and splits as the code that made the copy reads them: each config has a split of another name."""
    rows = [json.loads(line) for line in (SAMPLES / "omnicvr" / "omnicvr.jsonl").read_text().splitlines()]
    documents = sorted({name for row in rows for name in row["candidates"]})
    ids = [str(number) for number in range(len(rows))]
    categories = [row["category"] for row in rows]
    tables = {
        "corpus/corpus": {"id": documents, "video": [None] * len(documents)},
        "queries/queries": {"id": ids, "text": [row["instruction"] for row in rows],
                            "source_id": [row["source_id"] for row in rows], "category": categories},
        "qrels/test": {"query-id": ids, "corpus-id": [row["target_id"] for row in rows], "score": [1] * len(rows)},
        "top_ranked/test": {"query-id": ids, "corpus-ids": [row["candidates"] for row in rows]},
    }  # fmt: skip
    for name, columns in tables.items():
        path = tmp_path / f"{name}-00000-of-00001.parquet"
        path.parent.mkdir()
        pq.write_table(pa.table(columns), path)
    assert sample_task("omnicvr", folder=tmp_path) == sample_task("omnicvr")


@pytest.mark.parametrize("name", ["covr-r", "edir", "insave", "omnicvr"])
def test_the_published_files_come_first_and_mtebs_copy_stands_in_for_them(tmp_path, name):
    copy, both = tmp_path / "copy", tmp_path / "both"
    shutil.copytree(SAMPLES / "vt2v", copy)
    shutil.copytree(copy, both)
    shutil.copytree(SAMPLES / name, both, dirs_exist_ok=True)
    assert sample_task(name, folder=both) == sample_task(name)
    found = {query.query_id for query in sample_task(name, folder=copy).queries}
    assert found - {"q4"} == {"q1", "q2", "q3"}, "the only target of q4 is its reference"
    with pytest.raises(CvrError, match=r" is not in .*; get it from https://huggingface\.co/datasets/"):
        sample_task(name, folder=tmp_path)


def test_the_reference_of_a_query_is_the_document_of_the_same_bytes():
    task = sample_task("vt2v", "reference=keep")
    references = {query.query_id: query.reference.item_id for query in task.queries}
    assert references == {"q1": "lake", "q2": "hill", "q3": "reference-q3", "q4": "harbour"}
    assert sample_task("vt2v").left_out == {"queries whose only target is their reference": 1}
    assert task.grades == {"q3": {"lake": 2, "harbour": 1}}
    assert "lake" not in task.targets["q2"], "a score of 0 is no answer"


def test_map_at_5_is_that_of_the_answers_found():
    """Of film01_0, film01_1, film01_2, film02_0 in this order: (1/2 + 2/3) / 2, and 1/4."""
    task = sample_task("momentseeker")
    table = result_ranks_table(task, evaluate(InOrder(), task))
    assert Measures.of_task(task).values(table, "mAP@5").tolist() == pytest.approx([100 * 7 / 12, 25.0])


def test_a_set_with_several_tasks_asks_for_one(tmp_path):
    with pytest.raises(CvrError, match=r"has the tasks ti2v, tv2v; choose one with task=NAME") as caught:
        sample_task("vt2v", folder=tasks_of(tmp_path))
    assert "get it from https://huggingface.co/datasets" in str(caught.value)
    with pytest.raises(CvrError, match=r"has the tasks ti2v, tv2v"):  # its folders say so, without a card
        sample_task("vt2v", folder=SAMPLES / "momentseeker")


def tasks_of(folder):
    """MomentSeeker's sample, with a card as the Hub writes it."""
    shutil.copytree(SAMPLES / "momentseeker", folder, dirs_exist_ok=True)
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    files = "  data_files:\n  - split: test\n    path: {name}/*.parquet\n"
    configs = "".join(f"- config_name: {name}\n{files.format(name=name)}" for name in names)
    (folder / "README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    return folder


def test_both_sources_of_covr_r_are_slices_and_its_challenge_is_blind():
    task = sample_task("covr-r")
    assert task.slices == {"source": {"webvid-1": "webvid", "webvid-2": "webvid", "ss2-1": "ss2"}}
    assert allowed(task, "webvid-2") == {"1001", "1003", "41", "42"}, "both sources, without its own reference"
    module = BENCHMARKS.get("covr-r")
    with pytest.raises(CvrError, match="targets of challenge-test are not published"):
        sample_task("covr-r", "split=challenge-test")
    blind = module.load_blind(module.Config(annotations=SAMPLES / "covr-r", split="challenge-test", counts="any"))
    assert [(query.query_id, query.reference.item_id) for query in blind.queries] == [
        ("webvid-7", "2001"),
        ("ss2-8", "77"),
    ]
    assert blind.is_blind


def test_two_clips_of_one_name_are_refused(tmp_path):
    (tmp_path / "eval_data").mkdir()
    lines = ["original_video,target_video,instruction", "a/1.mp4,a/2.mp4,x", "b/1.mp4,b/3.mp4,y"]
    (tmp_path / "eval_data" / "eval.csv").write_text("\n".join(lines))
    with pytest.raises(CvrError, match=r"a/1\.mp4 and b/1\.mp4 would both be the clip '1'"):
        sample_task("insave", folder=tmp_path)


@pytest.mark.parametrize(
    ("part", "columns", "line"),
    [
        ("qrels", {"query-id": ["q9"], "corpus-id": ["lake"], "score": [1]}, "qrels name queries .* not: q9"),
        ("qrels", {"query-id": ["q1"], "corpus-id": ["sea"], "score": [1]}, "qrels name documents .* not: sea"),
        ("qrels", {"query-id": ["q1"], "corpus-id": ["lake"], "score": ["high"]}, "'high' of q1 in 'score' is no"),
        ("qrels", {"query-id": ["q1"], "corpus-id": ["lake"], "score": [float("inf")]}, "'inf' of q1 in 'score' is no"),
        ("qrels", {"query-id": [None], "corpus-id": ["lake"], "score": [1]}, "'None' is no id"),
        ("top_ranked", {"query-id": ["q1"], "corpus-ids": [["lake"]]}, "top_ranked of q1"),
        ("top_ranked", {"query-id": ["q1"]}, "has no column 'corpus-ids'"),
        ("top_ranked", {"query-id": ["q1"], "corpus-ids": ["lake"]}, "'corpus-ids' of q1 is no list"),
        ("corpus", {"id": ["lake"], "video": [{"bytes": "text", "path": "a.mp4"}]}, "is of type str, not bytes"),
        ("query", {"id": ["q1", "q1"], "text": ["a", "b"]}, "queries has an id twice"),
        ("query", {"id": ["q1", "q2"], "text": ["a", None]}, "the query q2 has no text"),
        ("query", {"id": ["q1"], "words": ["a"]}, "has no column 'text'"),
        ("corpus", {"id": ["lake"], "video": [7]}, "is of type int, not bytes"),
    ],
)  # fmt: skip
def test_a_damaged_set_is_one_line(tmp_path, part, columns, line):
    shutil.copytree(SAMPLES / "vt2v", tmp_path / "set")
    (file,) = (tmp_path / "set" / part).iterdir()
    pq.write_table(pa.table(columns), file)
    with pytest.raises(CvrError, match=line):
        sample_task("vt2v", folder=tmp_path / "set")


@pytest.mark.parametrize("pattern", ["", ".", "a**b", "/etc/*", "../*"])
def test_a_card_with_an_odd_pattern_finds_no_files_there(tmp_path, pattern):
    card = f"---\nconfigs:\n- config_name: top_ranked\n  data_files: '{pattern}'\n---\n"
    shutil.copytree(SAMPLES / "vt2v", tmp_path / "set")
    (tmp_path / "set" / "README.md").write_text(card)
    assert sample_task("vt2v", folder=tmp_path / "set").candidates == sample_task("vt2v").candidates


def test_ids_that_are_whole_numbers_of_floats_are_the_same_in_every_part(tmp_path):
    tables = {"corpus": {"id": [1, 2]}, "queries": {"id": [7], "text": ["darker"], "source_id": ["1"]},
              "qrels": {"query-id": [7.0], "corpus-id": [2.0], "score": [1.0]}}  # fmt: skip
    for part, columns in tables.items():
        pq.write_table(pa.table(columns), tmp_path / f"{part}.parquet")
    assert sample_task("vt2v", folder=tmp_path).targets == {"7": frozenset({"2"})}


@pytest.mark.parametrize(
    ("name", "options", "file", "change", "line"),
    [
        ("covr-r", "", "merged_webvid_ss2.json", lambda value: value[0].update(webvid=7), None),
        ("cirr", "", "captions/cap.rc2.val.json", lambda value: value[0].update(img_set={}), "no list 'members'"),
        ("cirr", "", "captions/cap.rc2.val.json", lambda value: value[0].update(reference="\ud83d"), "is no string"),
        ("cirr", "", "captions/cap.rc2.val.json", lambda value: value[0].update(target_hard=["a"]), "should be a name"),
        ("fashioniq", "category=dress", "captions/cap.dress.val.json", lambda value: value[0].update(captions=[7, "a"]),
         "entry 0: 'captions' should be of texts"),
        ("fashioniq", "category=dress", "image_splits/split.dress.val.json", lambda value: value.append([1]),
         "should be a list of names"),
    ],
)  # fmt: skip
def test_a_published_file_of_odd_values_is_one_line(tmp_path, name, options, file, change, line):
    shutil.copytree(SAMPLES / name, tmp_path / "set")
    value = json.loads((tmp_path / "set" / file).read_text())
    change(value)
    (tmp_path / "set" / file).write_text(json.dumps(value))
    if line is None:
        assert {query.query_id for query in sample_task(name, options, tmp_path / "set").queries} == {"ss2-1"}
        return
    with pytest.raises(CvrError, match=line):
        sample_task(name, options, tmp_path / "set")


def test_media_of_equal_bytes_are_one_file_named_by_what_they_are(tmp_path):
    (films,) = RetrievalSet(folder=SAMPLES / "vt2v").files("corpus")
    (asked,) = RetrievalSet(folder=SAMPLES / "vt2v").files("queries")
    written = {medium.row_id: write_medium(medium, tmp_path) for medium in stored_media([films], "id")}
    written |= {medium.row_id: write_medium(medium, tmp_path) for medium in stored_media([asked], "_id")}
    assert written["q1"] == written["lake"] and written["q2"] == written["hill"]
    assert len(list(tmp_path.iterdir())) == 6 and {path.suffix for path in tmp_path.iterdir()} == {".mp4"}
    (pictures,) = RetrievalSet(folder=SAMPLES / "vt2v", task="it2v").files("queries")
    assert {write_medium(medium, tmp_path).suffix for medium in stored_media([pictures], "id")} == {".png"}


def test_configs_under_any_of_their_names_make_a_set():
    assert is_retrieval_set(["corpus", "default", "query"]) and is_retrieval_set(
        ["corpus", "tv2v-queries", "tv2v-qrels"]
    )
    assert not is_retrieval_set(["corpus"]) and not is_retrieval_set(["default"]) and not is_retrieval_set([])
