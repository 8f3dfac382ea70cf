"""publish: only decodable media of the dataset's folders leave, and what looks like a secret stops it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cvr_data.core.artifacts import artifact_key, identity_of
from cvr_data.core.whole_files import file_sha256
from cvr_data.media.video import write_mp4
from cvr_data.publish.scan import scan_publication, secrets_to_publish
from cvr_data.triplets.build import build_triplets, find_triplet_parts
from cvr_data.triplets.join import Config
from tests.dataset_folders import write_texts

DRY = ("--repo", "user/tiny", "--with-videos", "--dry-run")


@pytest.fixture
def built(tmp_path):
    build_triplets(find_triplet_parts([write_texts(tmp_path)]), tmp_path / "tiny", Config(), name="tiny")
    return tmp_path / "tiny"


def rename(built: Path, video_id: str, path: str) -> None:
    """Let the videos table name another file, with the digests and keys that belong to it."""
    videos = built.parent / "videos"
    (part,) = videos.glob("part-*.parquet")
    table = pq.read_table(part)
    paths = [path if row["video_id"] == video_id else row["path"] for row in table.to_pylist()]
    pq.write_table(table.set_column(table.column_names.index("path"), "path", pa.array(paths, pa.string())), part)
    manifest = json.loads((videos / "manifest.json").read_text())
    manifest["files"][part.name] = file_sha256(part)
    manifest["bytes"][part.name] = part.stat().st_size
    manifest["key"] = artifact_key(identity_of(manifest))
    (videos / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("name", ["/etc/passwd", "../../../../../../../../etc/passwd", "link.mp4", "../elsewhere.mp4"])
def test_no_file_outside_the_dataset_leaves(built, one_line_error, name):
    (built.parent / "videos" / "link.mp4").symlink_to("/etc/passwd")
    write_mp4(built.parent / "elsewhere.mp4", np.zeros((2, 16, 16, 3), np.uint8))
    rename(built, "r1", name)
    line = one_line_error("publish", built, *DRY, "--media", built.parent / "media")
    assert "no videos or images in the dataset's folders: r1 (" in line and "--media FOLDER" in line


def test_a_file_inside_that_is_no_medium_is_refused(built, one_line_error):
    (built.parent / "videos" / "notes.txt").write_text("a plan")
    rename(built, "r1", "notes.txt")
    assert "no videos or images" in one_line_error("publish", built, *DRY, "--media", built.parent / "media")
    shutil.copy("/etc/passwd", built.parent / "videos" / "passwd.mp4")
    rename(built, "r1", "passwd.mp4")
    assert "The medium of r1 shows no picture" in one_line_error(
        "publish", built, *DRY, "--media", built.parent / "media"
    )


def test_media_of_a_folder_that_is_named_leave_and_every_file_is_listed(built, cvr, tmp_path):
    (tmp_path / "own").mkdir()
    write_mp4(tmp_path / "own" / "r1.mp4", np.zeros((2, 16, 16, 3), np.uint8))
    rename(built, "r1", str(tmp_path / "own" / "r1.mp4"))
    folders = ("--media", tmp_path / "own", "--media", built.parent / "media")
    outcome = cvr.done("publish", built, *DRY, *folders, "--staging", tmp_path / "staged")
    size = (tmp_path / "own" / "r1.mp4").stat().st_size
    assert f"{size:>12}  videos/r1.mp4" in outcome.out.splitlines()
    listed = {line.split()[1] for line in outcome.out.splitlines() if line[:12].strip().isdigit()}
    staged = {path.relative_to(tmp_path / "staged").as_posix() for path in (tmp_path / "staged").rglob("*.*")}
    assert staged <= listed


def test_no_picture_of_a_file_elsewhere_is_in_the_card(built, cvr, tmp_path):
    write_mp4(tmp_path / "elsewhere.mp4", np.zeros((2, 16, 16, 3), np.uint8))
    rename(built, "r1", "../elsewhere.mp4")
    words = ("publish", built, "--repo", "user/tiny", "--dry-run", "--staging", tmp_path / "staged")
    assert "1 videos lie outside the dataset's folders" in cvr.done(*words, "--media", built.parent / "media").err
    assert len(list((tmp_path / "staged" / "thumbnails").iterdir())) == 3


EXAMPLES = {
    "a Hub token": "hf_" + "a1" * 17,
    "a key of a language model's server": "sk-proj-" + "Ab1" * 10,
    "a GitHub token": "ghp_" + "a" * 36,
    "a key of Amazon's": "AKIA" + "A1B2" * 4,
    "a key of Google's": "AIza" + "a" * 35,
    "a Slack token": "xoxb-1234567890-abc",
    "a private key": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "a password in an address": "https://me:pa55@host/x",
    "a password or token by its name": '-o extra={"api_key": "abc123def"}',
    "a home folder": "cvr import folder -o path=/home/ann/clips",
}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_secret_is_known_by_its_form(kind):
    assert kind in secrets_to_publish(f"before {EXAMPLES[kind]} after")


@pytest.mark.parametrize("text", ["make the hf_ball red", "https://host:80/a@b", "at home / in the root / users", "a"])
def test_an_ordinary_text_holds_none(text):
    assert secrets_to_publish(text) == []


def test_cells_of_tables_are_looked_at_in_lists_and_structs_too(tmp_path):
    secret = EXAMPLES["a Hub token"]
    pq.write_table(pa.table({"a": ["x"], "b": [[{"c": secret}]]}), tmp_path / "t.parquet")
    assert scan_publication({"t.parquet": tmp_path / "t.parquet"}) == ["t.parquet, column b: a Hub token"]


def test_places_in_media_are_found(tmp_path):
    import av

    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (48.0, 1.0, 2.0)}
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.jpg")
    with av.open(str(tmp_path / "b.mp4"), "w") as film:
        film.metadata["location"] = "+48.0+002.0/"
        stream = film.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 16
        for packet in (*stream.encode(av.VideoFrame(16, 16, "yuv420p")), *stream.encode()):
            film.mux(packet)
    found = scan_publication({name: tmp_path / name for name in ("a.jpg", "plain.jpg", "b.mp4")})
    assert found == ["a.jpg: where it was taken (EXIF)", "b.mp4: where it was filmed"]


def test_a_finding_stops_a_push_and_is_only_told_by_a_dry_run(built, cvr, one_line_error, monkeypatch):
    path = built / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "command": f"cvr x {EXAMPLES['a Hub token']}"}))
    monkeypatch.setenv("HF_TOKEN", "nobody")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    line = one_line_error("publish", built, "--repo", "user/tiny")
    assert "look like secrets, home folders or places" in line and "--yes" in line
    outcome = cvr("publish", built, "--repo", "user/tiny", "--dry-run")
    assert outcome.code == 0 and "a Hub token" in outcome.err
    assert "look like" not in cvr("publish", built, "--repo", "user/tiny", "--yes").err.splitlines()[-1]
