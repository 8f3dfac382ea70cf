"""Published sources: every corpus reads its tiny sample; wrong files are one line, wrong rows are dropped."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.places import path_or_address
from cvr_data.media.video import write_mp4
from cvr_data.videos.corpora import CORPORA
from cvr_data.videos.import_videos import import_videos

SAMPLES = Path(__file__).parents[4] / "annotations" / "samples"
OWN_TESTS = {"folder", "synthetic", "table"}
SAMPLED = [name for name in CORPORA.names() if name not in OWN_TESTS]


@pytest.fixture
def run(cvr, tmp_path, monkeypatch):
    """Import a corpus and return its rows and what was dropped."""
    monkeypatch.chdir(tmp_path)

    def imported(*words: str | Path) -> tuple[list[dict], dict[str, int]]:
        cvr.done("import", *words, "--overwrite")
        artifact = open_artifact("videos")
        return artifact.read().to_pylist(), artifact.manifest["dropped"]

    return imported


def expected_rows(name):
    """The rows that a corpus should read from its sample, written by hand beside the samples."""
    lines = (SAMPLES / "videos" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize("name", CORPORA.names())
def test_every_corpus_reads_its_sample(name, tmp_path, monkeypatch):
    expected, module = expected_rows(name), CORPORA.get(name)
    monkeypatch.chdir(SAMPLES)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    tiny = vars(module).get("TINY", {"path": name})
    config = tiny if isinstance(tiny, module.Config) else CORPORA.config(name, tiny)
    rows = import_videos(module, config, tmp_path / "videos").read().to_pylist()
    assert [{column: row[column] for column in ("video_id", "captions", "split")} for row in rows] == expected
    assert {row["source"] for row in rows} == {name}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CORPORA.names() if name not in ("huggingface", "vt2v")])
def test_every_corpus_reads_its_sample_at_an_address(name, tmp_path, monkeypatch):
    monkeypatch.chdir(SAMPLES)
    there, out = path_or_address(f"memory://samples-of-{name}"), path_or_address(f"memory://samples-of-{name}/out")
    for file in (file for file in SAMPLES.rglob("*") if file.is_file()):
        (there / file.relative_to(SAMPLES).as_posix()).write_bytes(file.read_bytes())
    module = CORPORA.get(name)
    tiny = vars(module).get("TINY", {"path": name})
    if isinstance(tiny, module.Config):
        here = far = tiny
    else:
        moved = {key: f"{there}/{value}" if (SAMPLES / str(value)).exists() else value for key, value in tiny.items()}
        here, far = CORPORA.config(name, tiny), CORPORA.config(name, moved)
    expected = import_videos(module, here, tmp_path / "videos").read().to_pylist()
    rows = import_videos(module, far, out).read().to_pylist()
    for row in rows:
        row["path"] = row["path"] and row["path"].replace(str(there), str(SAMPLES))
    assert rows == expected


@pytest.mark.parametrize("name", ["huggingface", "vt2v"])
def test_the_hubs_own_reader_is_given_no_address(one_line_error, name):
    assert "USER/NAME" in one_line_error("import", name, "memory://bucket/data", "-O", "memory://bucket/videos")


def test_clips_of_didemo_are_found_by_their_names_whatever_their_endings(run, tmp_path):
    names = [row["video_id"] for row in expected_rows("didemo")]
    for place, name in enumerate(names[:2]):
        path = tmp_path / "clips" / str(place) / f"{name.partition('.')[0]}.mp4"
        path.parent.mkdir(parents=True)
        write_mp4(path, np.zeros((2, 16, 16, 3), np.uint8))
    rows, _ = run("didemo", SAMPLES / "didemo", "-o", "media=clips")
    assert [bool(row["path"]) for row in rows] == [True, True, False]


def test_a_folder_that_was_downloaded_is_read_as_a_whole(run, tmp_path):
    from cvr_data.download.status import StatusRow, StatusTable

    shutil.copytree(SAMPLES / "webvid-covr", tmp_path / "webvid-covr")
    table = StatusTable(tmp_path / "webvid-covr")
    table.add(StatusRow(item_id="a", url="https://example.org/a", file="a", status="ok"))
    table.flush()
    rows, _ = run("webvid-covr", "webvid-covr")
    assert len(rows) == len(expected_rows("webvid-covr")) and list(tmp_path.rglob("*.parquet"))


def test_a_list_of_triplets_without_captions_gives_its_videos(run, tmp_path):
    (tmp_path / "dense_test.csv").write_text("pth1,pth2,txt1,edit\n1/a,1/b,a dog,make it a cat\n1/b,1/c,,again\n")
    (tmp_path / "pictures" / "1").mkdir(parents=True)
    Image.new("RGB", (16, 16)).save(tmp_path / "pictures" / "1" / "b.jpg")
    rows, dropped = run("webvid-covr", "dense_test.csv", "-o", "media=pictures")
    assert [row["video_id"] for row in rows if row["path"]] == ["1/b"]
    assert {row["video_id"]: row["captions"] for row in rows} == {"1/a": ["a dog"], "1/b": [], "1/c": []}
    assert dropped == {"no_caption": 1}  # of a column that has captions


def test_a_corpus_without_a_sample_fails():
    with pytest.raises(FileNotFoundError, match=r"without\.jsonl"):
        expected_rows("without")


@pytest.mark.parametrize("name", ["msrvtt", "vatex", "activitynet", "didemo"])
@pytest.mark.parametrize("content", ["", "nonsense", "{}", "[]", "[1]", '{"a": 1}', "3"])
def test_a_json_of_another_shape_is_one_line(name, content, one_line_error, tmp_path):
    (tmp_path / "x.json").write_text(content)
    assert "x.json" in one_line_error("import", name, tmp_path / "x.json", "-O", tmp_path / "videos")
    assert not (tmp_path / "videos").exists()


@pytest.mark.parametrize("name", ["charades", "epic-kitchens", "egocvr", "hvu", "webvid"])
def test_a_table_without_a_column_is_one_line(name, one_line_error, tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    assert "is missing" in one_line_error("import", name, tmp_path / "x.csv", "-O", tmp_path / "videos")


@pytest.mark.parametrize("name", [name for name in SAMPLED if name not in ("huggingface", "action-genome")])
def test_a_missing_source_is_one_line(name, one_line_error, tmp_path):
    assert "no such" in one_line_error("import", name, tmp_path / "gone", "-O", tmp_path / "videos")


def test_both_shapes_of_msrvtt_give_the_same_videos(run):
    sentences = [{"video_id": "video1", "caption": "a dog"}, {"video_id": "video1", "caption": "a hound"}]
    annotations = [{"image_id": row["video_id"], "caption": row["caption"]} for row in sentences]
    Path("a.json").write_text(json.dumps({"videos": [], "sentences": sentences}))
    with zipfile.ZipFile("b.zip", "w") as archive:
        archive.writestr("MSR_VTT.json", json.dumps({"images": [], "annotations": annotations}))
    first, second = run("msrvtt", "a.json"), run("msrvtt", "b.zip")
    assert first == second
    assert first[0][0]["captions"] == ["a dog", "a hound"]


def test_the_split_is_the_one_of_the_files(run):
    rows, _ = run("msrvtt", SAMPLES / "msrvtt")
    assert {row["video_id"]: row["split"] for row in rows} == {
        "video1": "train",
        "video2": "val",
        "video3": "test",
        "video4": "val",
        "video5": "test",
    }
    rows, _ = run("msvd", SAMPLES / "msvd")
    assert [row["split"] for row in rows] == ["test", "test", "test", "val", "val"]


def test_bad_rows_are_dropped_with_a_reason(run):
    rows = [{"video_id": "v1", "caption": "a dog"}, {"video_id": "v2"}, {"caption": "a cat"}, 7]
    Path("a.json").write_text(json.dumps({"videos": [3], "sentences": rows}))
    kept, dropped = run("msrvtt", "a.json")
    assert len(kept) == 1
    assert dropped == {"no_caption": 1, "no_id": 2}


def test_media_that_are_missing_leave_an_empty_path_and_are_counted(cvr, tmp_path):
    (tmp_path / "media" / "deep").mkdir(parents=True)
    write_mp4(tmp_path / "media" / "deep" / "video1.mp4", np.zeros((3, 32, 32, 3), np.uint8))
    (tmp_path / "media" / "video2.mp4").write_bytes(b"broken")
    media = f"media={tmp_path / 'media'}"
    outcome = cvr("import", "msrvtt", SAMPLES / "msrvtt", "-o", media, "-O", tmp_path / "videos")
    assert "3 without a media file" in outcome.out
    artifact = open_artifact(tmp_path / "videos")
    assert [row["video_id"] for row in artifact.read().to_pylist() if row["path"]] == ["video1"]
    assert artifact.manifest["dropped"] == {"unreadable_video": 1}


def test_activitynet_can_be_read_as_segments(run):
    rows, _ = run("activitynet", SAMPLES / "activitynet", "-o", "unit=segment")
    assert [row["video_id"] for row in rows][:2] == ["v_abcdefghij1_0.3_20", "v_abcdefghij1_18.5_55.1"]
    assert [rows[1][name] for name in ("recording_id", "start_s", "end_s")] == ["v_abcdefghij1", 18.5, 55.1]
    assert rows[1]["group_id"] is None
    assert rows[1]["duration_s"] == pytest.approx(36.6)


@pytest.mark.parametrize(("rule", "expected"), [("cirr", "COCO_val2014_000000000042"), ("coco", "42")])
def test_the_id_of_an_image_follows_its_data_set(run, rule, expected):
    Path("images/deep").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save("images/deep/COCO_val2014_000000000042.jpg")
    Path("images/bad_7.png").write_text("no picture")
    rows, dropped = run("images", "images", "-o", f"ids={rule}")
    assert [row["video_id"] for row in rows] == [expected]
    assert dropped == {"unreadable_video": 1}


def test_cc3m_needs_captions_and_addresses_without_a_header(run, one_line_error):
    Path("train.tsv").write_text("a boat\thttps://x/1\nno tab\n\thttps://x/3\na cow\thttps://x/4\n")
    rows, dropped = run("cc3m", "train.tsv")
    assert [(row["video_id"], row["split"]) for row in rows] == [("000000000", "train"), ("000000003", "train")]
    assert dropped == {"bad_row": 1, "no_caption": 1} or sum(dropped.values()) == 2
    Path("head.tsv").write_text("caption\turl\n")
    assert "without a header" in one_line_error("import", "cc3m", "head.tsv", "--overwrite")


def test_a_pickle_that_names_code_is_refused(one_line_error, tmp_path):
    (tmp_path / "raw-captions.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert "need no code" in one_line_error("import", "msvd", tmp_path, "-O", tmp_path / "videos")


@pytest.mark.data
def test_the_published_msrvtt_has_ten_thousand_videos(real_data, run):
    rows, dropped = run("msrvtt", real_data / "msrvtt")
    assert len(rows) == 10_000
    assert not dropped
    features = np.load(real_data / "msrvtt_features" / "frames_enetlite0_pca256_int8.npz")
    named = {f"video{int(video)}" for video in np.unique(features["keys"][:, 0])}
    assert named <= {row["video_id"] for row in rows}


def test_a_dataset_without_a_column_or_that_is_not_there_is_one_line(one_line_error, tmp_path):
    import datasets

    datasets.Dataset.from_dict({"video_id": ["v1"], "script": ["a dog"]}).save_to_disk(str(tmp_path / "saved"))
    error = one_line_error(
        "import", "huggingface", tmp_path / "saved", "-o", "caption=scrip", "-O", tmp_path / "videos"
    )
    assert "is missing" in error
    error = one_line_error("import", "huggingface", tmp_path / "gone", "-O", tmp_path / "videos")
    assert "cannot be opened as a dataset" in error
