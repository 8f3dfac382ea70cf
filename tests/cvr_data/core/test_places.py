"""Addresses where paths stand: what a store does whole, who may write there, and what is said of one out of reach."""

import json
import threading
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError

from cvr_data.core import folder_lock as locks
from cvr_data.core import places
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import verify
from cvr_data.core.errors import CvrError
from cvr_data.core.folder_lock import place_lock
from cvr_data.core.places import create_exclusively, names_below, path_from, path_or_address, path_or_address_from
from cvr_data.core.whole_files import whole_file, write_bytes
from cvr_data.media.look import media_path_inside
from cvr_data.media.places import resolve_media
from tests.s3_server import BUCKET, forget_connections


@pytest.mark.parametrize("given", ["pairs", "/data/pairs", "s3:/bucket", "http://host/x", "a://b"])
def test_what_is_no_known_address_is_a_path(given):
    assert path_or_address(given) == Path(given)


@pytest.mark.parametrize("given", ["s3://bucket/a/b/", "memory://bucket/a", "hf://datasets/user/name"])
def test_an_address_keeps_its_two_slashes_and_is_no_path_of_this_machine(given):
    place = path_or_address(given)
    assert str(place / "part") == f"{given.rstrip('/')}/part"
    with pytest.raises(TypeError):
        Path(place)


@pytest.mark.parametrize(
    ("folder", "place", "name"),
    [
        ("s3://bucket/pairs", "s3://bucket/videos", "../videos"),
        ("s3://bucket/pairs", "s3://other/videos", "s3://other/videos"),
        ("s3://bucket/pairs", "/data/videos", "/data/videos"),
        ("/data/pairs", "s3://bucket/videos", "s3://bucket/videos"),
        ("/data/pairs", "/data/videos", "../videos"),
    ],
)
def test_a_manifest_names_its_inputs_as_they_are_found_again(folder, place, name):
    assert path_from(path_or_address(folder), path_or_address(place)) == name
    assert path_or_address_from(path_or_address(folder), name) == path_or_address(place)


def test_a_link_that_leads_to_itself_is_named_as_any_file(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "through").symlink_to("loop/below")
    assert path_from(tmp_path / "out", tmp_path / "loop") == "../loop"
    assert path_from(tmp_path / "out", tmp_path / "through" / "a.mp4") == "../loop/below/a.mp4"


def test_a_row_leads_to_its_medium_and_a_table_not_out_of_its_folder():
    videos = path_or_address("s3://bucket/videos")
    assert str(resolve_media(videos, "media/a.mp4")) == "s3://bucket/videos/media/a.mp4"
    assert str(resolve_media(videos, "s3://other/a.mp4")) == "s3://other/a.mp4"
    assert resolve_media(videos, "/data/a.mp4") == Path("/data/a.mp4")
    assert str(media_path_inside(videos, "b/a.mp4")) == "s3://bucket/videos/b/a.mp4"
    for name in ("../a.mp4", "b/../../a.mp4"):
        with pytest.raises(CvrError, match="leads out"):
            media_path_inside(videos, name)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("s4://bucket/videos", "s4:// is no kind of address that is known here. Did you mean: s3, gs?"),
        ("s3://", "names no bucket"),
        ("s3://bucket/run*", "an address has none"),
        ("s3://key:hunter2@bucket/videos", "holds no names and passwords"),
        ("gs://bucket/videos", "gs:// needs no_gcsfs (pip install 'cvr[gs]')"),
        ("memory://bucket/videos", "memory://bucket/videos does not exist"),
    ],
)
def test_an_address_that_leads_nowhere_is_one_line(given, said, one_line_error, monkeypatch):
    monkeypatch.setitem(places.STORES, "gs", ("no_gcsfs", "cvr[gs]"))
    line = one_line_error("mine-pairs", given, "-O", "memory://bucket/pairs")
    assert said in line and "hunter2" not in line


def test_a_command_for_disks_says_so_and_makes_no_folder(one_line_error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "on disks only" in one_line_error("merge", "s3://bucket/a", "-O", "s3://bucket/b")
    assert list(tmp_path.iterdir()) == []


def test_workers_are_not_given_what_only_one_process_has(one_line_error, tmp_path):
    (tmp_path / "t.csv").write_text("video_id,caption\na,b\n")
    words = ("import", "table", tmp_path / "t.csv", "-O", "memory://bucket/here", "--workers", "2")
    assert "which workers do not share" in one_line_error(*words)


def test_a_file_is_one_put_and_one_that_fails_is_none(folder, monkeypatch):
    calls = []
    store = type(folder.fs)
    whole = store._call_s3
    monkeypatch.setattr(
        store, "_call_s3", lambda self, *given, **named: calls.append(given[0]) or whole(self, *given, **named)
    )  # fmt: skip
    write_bytes(folder / "a.txt", b"whole")
    assert [call for call in calls if call != "head_object"] == ["put_object"]
    with pytest.raises(RuntimeError), whole_file(folder / "b.txt") as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert names_below(folder) == ["a.txt"] and (folder / "a.txt").read_bytes() == b"whole"
    assert not temporary.exists()


def test_of_many_that_create_an_object_one_does(folder):
    made = []
    threads = [
        threading.Thread(target=lambda n=n: made.append(create_exclusively(folder / "x", f"{n}".encode())))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 7 + [True]
    assert create_exclusively(folder / "x", (folder / "x").read_bytes())  # sent again, as the answer was lost


def test_a_second_writer_is_refused_in_one_line_and_the_first_leaves_nothing(folder, one_line_error, tmp_path):
    with ArtifactWriter(folder, stage="numbers") as writer:
        with pytest.raises(CvrError, match="is being written by process") as refused, place_lock(folder):
            pass
        assert "\n" not in str(refused.value)
        writer.finish()
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]


@pytest.mark.slow
def test_what_is_replaced_stays_until_the_new_one_is_whole(folder):
    for config, names in (({}, ["a.txt", "b.txt"]), ({"n": 1}, ["b.txt", "sub/c.txt"])):
        with ArtifactWriter(folder, stage="numbers", config=config, overwrite=True) as writer:
            for name in names:
                writer.write_file(name, str(config).encode())
            before = names_below(folder)
            writer.finish()
    assert before == ["a.txt", "b.txt", "manifest.json"]
    assert sorted(path.name for path in folder.iterdir()) == ["b.txt", "manifest.json", "sub"]
    assert names_below(folder) == ["b.txt", "manifest.json", "sub/c.txt"] and verify(folder) == []


def lock_of(folder, **said):
    (folder / locks.LOCK / "000001").write_bytes(json.dumps({"token": "other", "beat": 0, **said}).encode())


def test_a_folder_whose_writer_was_killed_here_is_taken_at_once(folder):
    machine = locks._this_machine()
    lock_of(folder, process=f"{machine}/1", pid=2**22 + 1)
    with place_lock(folder) as lock:
        assert lock.object.name == "000002" and lock.is_mine()
        assert [path.name for path in lock.path.iterdir()] == ["000002"]
    assert not lock.path.exists()


def test_a_writer_elsewhere_is_waited_for_as_long_as_it_beats(folder, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE_S", 0.5)
    monkeypatch.setattr(locks, "BEAT_S", 0.1)
    lock_of(folder, process="elsewhere/1", pid=1)
    with place_lock(folder) as lock:  # it was silent for so long
        monkeypatch.setattr(locks, "_this_machine", lambda: "")  # now this one looks as one elsewhere
        monkeypatch.setattr(locks, "PATIENCE_S", 60.0)
        with pytest.raises(CvrError, match="is being written"), place_lock(folder):
            pass
        assert lock.is_mine()


def test_a_writer_that_lost_its_folder_meanwhile_writes_no_manifest(folder):
    with pytest.raises(CvrError, match="was taken by another process"), ArtifactWriter(folder, stage="n") as writer:
        lock_of(folder)
        writer.finish()
    assert "manifest.json" not in [path.name for path in folder.iterdir()]


def test_a_bucket_that_is_not_there_is_one_line_and_is_not_made(s3, one_line_error):
    assert "no such file" in one_line_error("import", "table", "t.csv", "-O", "s3://nobucket/videos")
    with pytest.raises(CvrError, match=r"s3://nobucket/n cannot be reached: The specified bucket does not exist"):
        ArtifactWriter(path_or_address("s3://nobucket/n"), stage="numbers").__enter__()
    assert [bucket.rstrip("/") for bucket in path_or_address(BUCKET).fs.ls("")] == ["bucket"]


@pytest.mark.parametrize(
    ("names", "values", "said"),
    [
        (["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"], None, "Unable to locate credentials"),
        (["AWS_ENDPOINT_URL"], "http://127.0.0.1:1", "Could not connect"),
    ],
)
def test_without_credentials_or_a_server_it_is_one_line(names, values, said, s3, one_line_error, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for name in names:
        monkeypatch.setenv(name, values) if values else monkeypatch.delenv(name)
    forget_connections()
    try:
        line = one_line_error("mine-pairs", f"{BUCKET}/videos", "-O", f"{BUCKET}/pairs")
    finally:
        forget_connections()
    assert said in line and "hunter2" not in line
    assert f"{BUCKET}/pairs cannot be reached" in line


def test_a_store_that_is_gone_in_the_middle_of_a_run_is_one_line(tmp_path):
    there = path_or_address("memory://bucket/gone")
    (there / "table.csv").write_text("a")
    gone = EndpointConnectionError(endpoint_url="https://s3")
    for out, inputs in ((there / "out", {}), (tmp_path / "out", {"table": there / "table.csv"})):
        with pytest.raises(CvrError, match=r"memory://bucket/gone/\w+(\.csv)? cannot be reached: Could not connect"):
            with ArtifactWriter(out, stage="numbers", inputs=inputs):
                raise gone
    with pytest.raises(ValueError, match="ours"), ArtifactWriter(there / "out", stage="numbers"):
        raise ValueError("a mistake of ours")


def test_what_is_of_the_hub_is_read_and_not_written(tmp_path):
    with pytest.raises(CvrError, match="cvr publish"), place_lock(path_or_address("hf://datasets/user/name")):
        pass
