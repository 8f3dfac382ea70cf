"""cvr import: real files in, a videos table out; what cannot be used is told in one line or dropped with a reason."""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.media.places import resolve_media
from cvr_data.media.video import write_mp4

TABLE = "video_id,caption\nv1,a dog runs\nv2,a cat sleeps\n"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The current folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_clip(path: Path, shade: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        Image.new("RGB", (32, 32), (shade, shade, shade)).save(path)
    else:
        write_mp4(path, np.full((6, 32, 32, 3), shade, np.uint8))


def captions_by_id(path: Path) -> dict[str, list[str]]:
    rows = open_artifact(path).read(["video_id", "captions"]).to_pylist()
    return {row["video_id"]: row["captions"] for row in rows}


def reasons_by_id(path: Path) -> dict[str, str]:
    rows = open_artifact(path).dropped().to_pylist()
    return {row["video_id"]: row["drop_reason"] for row in rows}


def test_a_csv_becomes_a_videos_table(cvr, folder):
    (folder / "captions.csv").write_text(TABLE)
    assert "videos: 2 videos" in cvr.done("import", "table", "captions.csv").out
    assert captions_by_id(Path("videos")) == {"v1": ["a dog runs"], "v2": ["a cat sleeps"]}
    assert verify(Path("videos")) == []


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["tsv", "jsonl", "parquet", "csv"])
def test_every_kind_of_table_gives_the_same_videos(cvr, folder, suffix):
    rows = [{"clip": "v1", "text": 'says "hi",\nthen goes'}, {"clip": "v2", "text": "un café"}]
    path = folder / f"captions.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n\n" for row in rows))
    else:
        delimiter = "\t" if suffix == "tsv" else ","
        lines = [delimiter.join(['"{}"'.format(value.replace('"', '""')) for value in row.values()]) for row in rows]
        path.write_text("\n".join([delimiter.join(rows[0]), *lines]) + "\n", encoding="utf-8-sig")
    cvr.done("import", "table", path, "-o", "id=clip", "-o", "caption=text")
    assert captions_by_id(Path("videos")) == {"v1": ['says "hi",\nthen goes'], "v2": ["un café"]}


def test_optional_columns_are_read_by_name(cvr, folder):
    (folder / "t.csv").write_text("video_id,caption,secs,where,part\nv1,a dog runs,2.5,http://x/1,test\n")
    cvr.done("import", "table", "t.csv", "-o", "duration=secs", "-o", "url=where", "-o", "split=part")
    row = open_artifact("videos").read().to_pylist()[0]
    assert (row["duration_s"], row["url"], row["split"], row["path"]) == (2.5, "http://x/1", "test", None)


def test_a_list_column_holds_several_captions(cvr, folder):
    (folder / "t.jsonl").write_text('{"video_id": "v1", "caption": ["a dog runs", "a dog is running"]}\n')
    cvr.done("import", "table", "t.jsonl")
    assert captions_by_id(Path("videos")) == {"v1": ["a dog runs", "a dog is running"]}


def test_more_rows_than_one_slice_keep_their_order(cvr, folder):
    (folder / "t.csv").write_text("video_id,caption\n" + "".join(f"v{row},clip {row}\n" for row in range(9000)))
    cvr.done("import", "table", "t.csv")
    assert open_artifact("videos").read(["video_id"]).column(0).to_pylist() == [f"v{row}" for row in range(9000)]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("t.csv", "video_id,captoin\nv1,a dog\n", "column 'caption' is missing. Did you mean: captoin?"),
        ("t.jsonl", '{"video_id": "v1"}\n', "column 'caption' is missing"),
        ("t.csv", "", "t.csv is empty"),
        ("t.csv", "video_id,caption\n", "has a header and no row"),
        ("t.jsonl", "nonsense\n", "no line is a JSON object"),
        ("t.parquet", "nonsense", "cannot be read as Parquet"),
        ("t.docx", "nonsense", "unknown kind of table '.docx'"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_and_leaves_nothing(one_line_error, folder, name, content, expected):
    (folder / name).write_text(content)
    assert expected in one_line_error("import", "table", name)
    assert not Path("videos").exists()


def test_a_missing_file_is_named(one_line_error, folder):
    assert "nowhere.csv: no such file" in one_line_error("import", "table", "nowhere.csv")


def test_a_source_must_be_named(one_line_error, folder):
    assert "-o path=" in one_line_error("import", "table")


def test_an_unknown_corpus_gets_a_suggestion(one_line_error, folder):
    assert "Did you mean: webvid" in one_line_error("import", "webvidd", "x.csv")


def test_repeated_ids_are_an_error_that_names_three(one_line_error, folder):
    (folder / "t.csv").write_text("video_id,caption\n" + "".join(f"v{row % 5},clip {row}\n" for row in range(10)))
    assert "v0, v1, v2 and 2 more" in one_line_error("import", "table", "t.csv")
    assert not Path("videos").exists()


def test_repeated_ids_can_be_captions(cvr, folder):
    (folder / "t.csv").write_text("video_id,caption\nv1,a dog\nv2,a cat\nv1,a hound\nv1,a dog\n")
    cvr.done("import", "table", "t.csv", "-o", "repeated=captions")
    assert captions_by_id(Path("videos")) == {"v1": ["a dog", "a hound"], "v2": ["a cat"]}


def test_repeated_ids_can_be_dropped_and_counted(cvr, folder):
    (folder / "t.csv").write_text("video_id,caption\nv1,a dog\nv2,a cat\nv1,a hound\n")
    assert "dropped 1 duplicate_id" in cvr("import", "table", "t.csv", "-o", "repeated=drop").out
    assert captions_by_id(Path("videos")) == {"v1": ["a dog"], "v2": ["a cat"]}


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_caption_that_is_not_utf8_is_a_dropped_row(cvr, folder, suffix):
    bad = "caf\xe9".encode("latin-1")
    if suffix == "csv":
        (folder / "t.csv").write_bytes(b"video_id,caption\nv1,a dog\nv2," + bad + b"\n")
    elif suffix == "jsonl":
        lines = b'{"video_id": "v1", "caption": "a dog"}\n{"video_id": "v2", "caption": "' + bad + b'"}\n'
        (folder / "t.jsonl").write_bytes(lines)
    else:
        strings = pa.array([b"a dog", bad], pa.binary()).view(pa.string())
        pq.write_table(pa.table({"video_id": ["v1", "v2"], "caption": strings}), folder / "t.parquet")
    cvr.done("import", "table", f"t.{suffix}")
    assert list(reasons_by_id(Path("videos")).values()) == ["not_utf8"]
    assert captions_by_id(Path("videos")) == {"v1": ["a dog"]}


def test_rows_without_a_value_or_with_too_many_are_dropped_with_their_reason(cvr, folder):
    (folder / "t.csv").write_text("video_id,caption\nv1,a dog\nv2,\n,a cat\nv4,a,b,c\n")
    cvr.done("import", "table", "t.csv")
    assert open_artifact("videos").manifest["dropped"] == {"bad_row": 1, "no_caption": 1, "no_id": 1}


def test_an_unreadable_video_among_many_is_a_dropped_row(cvr, folder):
    write_clip(folder / "good.mp4")
    (folder / "broken.mp4").write_bytes(b"not a video")
    whole = (folder / "good.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 3])
    names = ("good", "broken", "cut", "gone")
    (folder / "t.csv").write_text(
        "video_id,caption,f\n" + "".join(f"{name},a {name} clip,{name}.mp4\n" for name in names)
    )
    cvr.done("import", "table", "t.csv", "-o", "video=f")
    assert reasons_by_id(Path("videos")) == {
        "broken": "unreadable_video",
        "cut": "unreadable_video",
        "gone": "missing_file",
    }
    row = open_artifact("videos").read().to_pylist()[0]
    assert row["duration_s"] == pytest.approx(0.5)
    assert resolve_media(Path("videos"), row["path"]) == folder / "good.mp4"
    assert len(row["content_sha256"]) == 64


def test_a_video_stream_without_a_frame_is_a_dropped_row(cvr, folder):
    import av

    write_clip(folder / "good.mp4")
    with av.open(str(folder / "none.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width = stream.height = 32
        container.start_encoding()
    (folder / "captions.csv").write_text("file,caption\ngood.mp4,a dog\nnone.mp4,a cat\n")
    cvr.done("import", "folder", ".")
    assert reasons_by_id(Path("videos")) == {"none.mp4": "unreadable_video"}


def test_a_folder_gives_relative_paths_as_ids_and_drops_what_has_no_caption(cvr, folder):
    for name in ("a.mp4", "deep/b.mp4", "silent.mp4"):
        write_clip(folder / "clips" / name)
    (folder / "clips" / "captions.csv").write_text(
        "file,caption\na.mp4,a dog\na.mp4,a hound\ndeep/b.mp4,a cat\nc.mp4,x\n"
    )
    cvr.done("import", "folder", "clips")
    assert captions_by_id(Path("videos")) == {"a.mp4": ["a dog", "a hound"], "deep/b.mp4": ["a cat"]}
    assert reasons_by_id(Path("videos")) == {"c.mp4": "missing_file", "silent.mp4": "no_caption"}


def test_a_folder_without_captions_says_how_to_name_them(one_line_error, folder):
    (folder / "clips").mkdir()
    assert "-o captions=FILE" in one_line_error("import", "folder", "clips")
    assert "no such folder" in one_line_error("import", "folder", "elsewhere")


def test_another_corpus_is_not_written_over(cvr, one_line_error, folder):
    (folder / "t.csv").write_text(TABLE)
    (folder / "other.csv").write_text(TABLE + "v3,rain\n")
    cvr.done("import", "table", "t.csv")
    assert "--overwrite" in one_line_error("import", "table", "other.csv")
    assert len(captions_by_id(Path("videos"))) == 2
    cvr.done("import", "table", "other.csv", "--overwrite")
    assert len(captions_by_id(Path("videos"))) == 3


def test_importing_again_only_reads(cvr, folder):
    (folder / "t.csv").write_text(TABLE)
    cvr("import", "table", "t.csv")
    before = Path("videos/part-00000.parquet").stat().st_mtime_ns
    cvr.done("import", "table", "t.csv")
    assert Path("videos/part-00000.parquet").stat().st_mtime_ns == before


def test_a_media_file_may_be_named_without_its_ending(cvr, folder):
    write_clip(folder / "clips" / "v1.mp4")
    (folder / "captions.csv").write_text("clip,text\nv1,a dog runs\nv2,a cat sleeps\n")
    words = ["-o", "id=clip", "-o", "caption=text", "-o", "video=clip", "-o", "media=clips"]
    cvr.done("import", "table", "captions.csv", *words)
    assert captions_by_id(Path("videos")) == {"v1": ["a dog runs"]}
    assert reasons_by_id(Path("videos")) == {"v2": "missing_file"}


CORPUS_OPTIONS = {
    "folder": ("clips", []),
    "images": ("clips", []),
    "table": ("clips/captions.csv", ["id=file", "video=file", "check=false"]),
    "webvid": ("webvid.csv", ["media=clips"]),
    "vatex": ("vatex.json", ["media=clips"]),
}


@pytest.mark.parametrize("corpus", CORPUS_OPTIONS)
def test_media_that_arrived_since_make_another_import(cvr, one_line_error, folder, corpus):
    suffix = "png" if corpus == "images" else "mp4"
    write_clip(folder / "clips" / f"a.{suffix}")
    (folder / "clips" / "captions.csv").write_text("file,caption\na.mp4,a dog\nb.mp4,a cat\n")
    (folder / "webvid.csv").write_text("videoid,contentUrl,duration,page_dir,name\na,x,PT1S,,a dog\nb,x,PT1S,,a cat\n")
    (folder / "vatex.json").write_text(json.dumps([{"videoID": name, "enCap": ["a dog"]} for name in "ab"]))
    source, options = CORPUS_OPTIONS[corpus]
    command = ["import", corpus, source, *(part for option in options for part in ("-o", option))]
    cvr.done(*command)
    manifest = Path("videos/manifest.json").read_bytes()
    os.utime(folder / "clips" / f"a.{suffix}", (1, 1))  # a copy on another machine has other times
    (folder / "clips" / "notes.txt").write_text("no media")
    cvr.done(*command)
    assert Path("videos/manifest.json").read_bytes() == manifest
    write_clip(folder / "clips" / f"b.{suffix}")
    assert "media_files = '1 of listing" in one_line_error(*command)
    cvr.done(*command, "--overwrite")
    files = [row["path"] for row in open_artifact("videos").read(["path"]).to_pylist()]
    assert [Path(path).name for path in files] == [f"a.{suffix}", f"b.{suffix}"]


def test_media_are_not_looked_for_in_the_folder_that_is_replaced(cvr, one_line_error, folder):
    cvr.done("import", "synthetic", "-o", "train=2", "-o", "val=1", "-o", "test=1", "-o", "size=32")
    before = sorted(Path("videos").rglob("*"))
    (folder / "captions.csv").write_text("file,caption\ntrain-00000.mp4,a dog\n")
    command = ["import", "folder", "videos/media", "-o", f"captions={folder / 'captions.csv'}", "--overwrite"]
    assert "holds videos/media, what this is made from, so it is not replaced" in one_line_error(*command)
    assert sorted(Path("videos").rglob("*")) == before


def test_captions_are_stored_in_nfc_without_what_cannot_be_seen(cvr, folder):
    rows = [
        {"video_id": "v1", "caption": "\ufeffun cafe\u0301\0, \u202bשלום\u202c"},
        {"video_id": "v2", "caption": "A DOG runs\u200b \u2764\ufe0f"},
        {"video_id": "v3", "caption": "\u200b\0"},
    ]
    (folder / "captions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    cvr.done("import", "table", "captions.jsonl")
    assert captions_by_id(Path("videos")) == {"v1": ["un café, שלום"], "v2": ["A DOG runs \u2764\ufe0f"]}
    assert reasons_by_id(Path("videos")) == {"v3": "no_caption"}


@pytest.mark.parametrize("change", ["a medium less", "another medium", "other rows", "another option"])
def test_an_import_of_other_media_rows_or_options_is_another_artifact(change, cvr, one_line_error, folder):
    (folder / "t.csv").write_text("video_id,caption,file\nv1,a dog runs,v1.mp4\nv2,a cat sleeps,v2.mp4\n")
    for name in ("v1", "v2"):
        write_clip(folder / "clips" / f"{name}.mp4")
    words = ["import", "table", "t.csv", "-o", "video=file", "-o", "media=clips"]
    cvr.done(*words)
    if change == "a medium less":
        (folder / "clips" / "v2.mp4").unlink()
    elif change == "another medium":
        with (folder / "clips" / "v2.mp4").open("ab") as file:
            file.write(b"more")
    elif change == "other rows":
        with (folder / "t.csv").open("a") as file:
            file.write("v3,rain,v2.mp4\n")
    else:
        words += ["-o", "check=false"]
    assert "videos holds another artifact" in one_line_error(*words)
    assert captions_by_id(Path("videos")) == {"v1": ["a dog runs"], "v2": ["a cat sleeps"]}
    cvr.done(*words, "--overwrite")


def test_no_address_keeps_a_password(cvr, tmp_path):
    lines = (
        "id,caption,url",
        "a,a dog runs,https://me:word123@host/a.mp4",
        "b,a cat runs,https://host/b@c.mp4",
        "c,a cow runs,",
    )
    (tmp_path / "clips.csv").write_text("\n".join(lines))
    words = ("import", "table", tmp_path / "clips.csv", "-o", "id=id", "-o", "caption=caption", "-o", "url=url")
    cvr.done(*words, "--out", tmp_path / "videos")
    videos = open_artifact(tmp_path / "videos")
    assert videos.read()["url"].to_pylist() == ["https://host/a.mp4", "https://host/b@c.mp4", None]
    assert videos.manifest["addresses_with_password"] == 1
    assert not any(b"word123" in path.read_bytes() for path in (tmp_path / "videos").iterdir())
