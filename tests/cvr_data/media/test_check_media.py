"""check-media: what is there, gone or unsure, what a second run looks at, and the dataset that is left."""

import json
import os
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.http_client import http_client
from cvr_data.media.check_media import Config, Medium, check_media
from cvr_data.media.check_one import Found, UrlChecker
from cvr_data.media.remote_file import RemoteFile
from cvr_data.media.video import write_mp4
from cvr_data.triplets.build import build_triplets, find_triplet_parts
from cvr_data.triplets.dataset import open_triplet_dataset
from cvr_data.triplets.join import Config as TripletConfig
from tests.dataset_folders import write_texts
from tests.http_server import FileServer, Reset, Status

QUICK = Config(attempts=2, backoff_s=0.01, timeout_s=5.0, concurrency=4)


@pytest.fixture
def server():
    with FileServer() as running:
        yield running


@pytest.fixture
def clip(tmp_path):
    """A file of half a second, 32 by 16."""
    path = tmp_path / "clip.mp4"
    write_mp4(path, np.full((6, 16, 32, 3), 90, np.uint8), fps=12)
    return path


def by_id(table):
    return {row["video_id"]: row for row in table.to_pylist()}


def test_what_a_file_tells(clip, tmp_path):
    row = by_id(check_media([Medium("v", "s", str(clip))], tmp_path / "check", QUICK))["v"]
    assert (row["status"], row["reason"], row["width"], row["height"]) == ("ok", None, 32, 16)
    assert (row["duration_s"], row["fps"], row["bytes"]) == (0.5, 12.0, clip.stat().st_size)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.unlink(), "no such file"),
        (lambda path: path.write_bytes(b""), "cannot be opened"),
        (lambda path: path.write_bytes(b"<html>" * 99), "cannot be opened"),
        (lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]), "no frame"),
    ],
)
def test_why_a_file_is_gone(clip, tmp_path, spoil, reason):
    spoil(clip)
    row = by_id(check_media([Medium("v", "s", str(clip))], tmp_path / "check", QUICK))["v"]
    assert row["status"] == "gone"
    assert reason in row["reason"]


def test_a_file_that_is_another_one_than_was_imported_is_gone(clip, tmp_path):
    row = by_id(check_media([Medium("v", "s", str(clip), "0" * 64)], tmp_path / "check", QUICK))["v"]
    assert (row["status"], row["reason"]) == ("gone", "its sha256 is not the one that was imported")
    assert len(row["sha256"]) == 64


def test_what_addresses_answer(server, clip, tmp_path):
    body = clip.read_bytes()
    places = {
        "there": server.put("/a.mp4", body),
        "no-ranges": server.put("/b.mp4", body, has_ranges=False),
        "missing": server.url + "/none.mp4",
        "forbidden": server.put("/c.mp4", body, faults=[Status(403)]),
        "page": server.put("/d.mp4", b"<html>gone</html>", kind="text/html; charset=utf-8"),
        "empty": server.put("/e.mp4", b""),
        "comes-back": server.put("/f.mp4", body, faults=[Status(503)]),
        "down": server.put("/g.mp4", body, faults=[Status(503), Status(503)]),
        "busy": server.put("/h.mp4", body, faults=[Status(429, {"Retry-After": "0"})]),
        "reset": server.put("/i.mp4", body, faults=[Reset(), Reset()]),
        "nowhere": None,
        "refused": "http://127.0.0.1:9/x.mp4",
        "malformed": "http://[x/y.mp4",
    }
    media = [Medium(name, "web", place) for name, place in places.items()]
    rows = by_id(check_media(media, tmp_path / "check", QUICK))
    assert {name: (row["status"], row["reason"]) for name, row in rows.items()} == {
        "there": ("ok", None),
        "no-ranges": ("ok", None),
        "missing": ("gone", "HTTP 404"),
        "forbidden": ("gone", "HTTP 403"),
        "page": ("gone", "a web page, not a medium"),
        "empty": ("gone", "empty"),
        "comes-back": ("ok", None),
        "down": ("unsure", "HTTP 503"),
        "busy": ("ok", None),
        "reset": ("unsure", "connection reset"),
        "nowhere": ("absent", "no path and no url"),
        "refused": ("unsure", "connection refused"),
        "malformed": ("gone", "not an address"),
    }
    assert rows["no-ranges"]["bytes"] == len(body)


def test_an_address_is_opened_when_asked_for(server, clip, tmp_path):
    media = [
        Medium("clip", "web", server.put("/a.mp4", clip.read_bytes())),
        Medium("noise", "web", server.put("/b.mp4", b"x" * 4000)),
    ]
    rows = by_id(check_media(media, tmp_path / "check", Config(is_opening=True, timeout_s=5.0)))
    assert (rows["clip"]["duration_s"], rows["clip"]["width"]) == (0.5, 32)
    assert (rows["noise"]["status"], rows["noise"]["reason"][:16]) == ("gone", "cannot be opened")


def test_a_second_run_looks_only_at_what_is_due(server, clip, tmp_path):
    there = Medium("there", "web", server.put("/a.mp4", b"video"))
    gone = Medium("gone", "web", server.url + "/none.mp4")
    down = Medium("down", "web", server.put("/b.mp4", b"video", faults=[Status(503)] * 2))
    file = Medium("file", "disk", str(clip))
    out = tmp_path / "check"
    check_media([there, gone, down, file], out, QUICK)
    server.log.clear()
    new = Medium("new", "web", server.put("/c.mp4", b"video"))
    rows = by_id(check_media([there, gone, down, file, new], out, QUICK))
    assert sorted(server.asked()) == ["/b.mp4", "/c.mp4"]
    assert rows["down"]["status"] == "ok"
    os.utime(clip, (time.time() + 9, time.time() + 9))
    clip.write_bytes(b"no video")
    assert by_id(check_media([there, gone, file], out, QUICK))["file"]["status"] == "gone"
    server.log.clear()
    check_media([there, gone], out, Config(older_than_days=0.0))
    assert sorted(server.asked()) == ["/a.mp4", "/none.mp4"]


def test_no_more_are_looked_at_at_once_than_allowed(server, tmp_path):
    media = [Medium(f"v{n}", "web", server.put(f"/{n}.mp4", b"x" * 20_000, pause_s=0.002)) for n in range(30)]
    table = check_media(media, tmp_path / "check", Config(concurrency=3))
    assert set(table["status"].to_pylist()) == {"ok"}
    assert 2 <= server.most_active <= 3


def test_a_folder_of_something_else_is_not_written_to(clip, one_line_error, tmp_path):
    videos = write_texts(tmp_path).parent / "videos"
    assert "holds no check of media" in one_line_error("check-media", videos, "-O", tmp_path / "pairs")


@pytest.fixture
def built(tmp_path):
    """Three triplets; g1 has a url only."""
    build_triplets(find_triplet_parts([write_texts(tmp_path)]), tmp_path / "tiny", TripletConfig(), name="tiny")
    return tmp_path / "tiny"


def test_triplets_of_lost_videos_are_dropped_with_a_reason_and_the_coverage(built, cvr, tmp_path, monkeypatch):
    (tmp_path / "media" / "r2.mp4").unlink()
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing leaves this machine
    words = ["--drop-missing", tmp_path / "there", "-O", tmp_path / "check", "--attempts", 1, "--timeout", 2]
    outcome = cvr.done("check-media", built, *words)
    assert "r2" not in set(open_triplet_dataset(tmp_path / "there").triplets["reference_id"].to_pylist())
    artifact = open_artifact(tmp_path / "there")
    [dropped] = artifact.dropped().to_pylist()
    assert (dropped["reference_id"], dropped["drop_reason"]) == ("r2", "reference_gone")
    assert artifact.manifest["coverage"]["splits"]["test"] == {"queries": [1, 0], "triplets": [1, 0]}
    assert "test keeps 0 of 1 triplets (0.0 %), 0 of 1 queries" in outcome.out
    card = (tmp_path / "there" / "README.md").read_text()
    assert "were dropped with their triplets" in card
    assert "drop-missing | 3 | 2 | reference\\_gone 1 |" in card
    assert pq.read_table(tmp_path / "check" / "media.parquet").num_rows == 5
    report = json.loads((tmp_path / "check" / "report.json").read_text())
    assert report["reasons"][0]["reason"]


def test_triplets_whose_videos_were_not_checked_are_refused(built, one_line_error, tmp_path, clip):
    from cvr_data.core.errors import CvrError
    from cvr_data.triplets.drop_missing import drop_missing_triplets

    check_media([Medium("r1", "s", str(clip))], tmp_path / "check", QUICK)
    with pytest.raises(CvrError, match="4 videos of the triplets were not checked, such as b1"):
        drop_missing_triplets(open_triplet_dataset(built), tmp_path / "check", tmp_path / "there")
    videos = built.parent / "videos"
    words = ["check-media", videos, "--drop-missing", tmp_path / "x", "-O", tmp_path / "c"]
    assert "holds videos; name a folder of triplets" in one_line_error(*words)


def test_opening_an_address_sends_no_token_to_the_host_of_a_redirect(server, clip):
    elsewhere = server.put("/a.mp4", clip.read_bytes()).replace("127.0.0.1", "localhost")
    server.put("/hub.mp4", b"", faults=[Status(302, {"Location": elsewhere})] * 50)
    headers = {"Authorization": "Bearer hidden"}
    with http_client(timeout_s=5, private_redirects=True) as client:
        file = RemoteFile(client, server.url + "/hub.mp4", headers, clip.stat().st_size)
        assert file.read_at(0, 1 << 20) == clip.read_bytes()
    assert {secret for host, secret in server.secrets if host == "localhost"} == {None}
    assert ("127.0.0.1", "Bearer hidden") in server.secrets


def test_a_playlist_leads_the_decoder_nowhere(server, clip, tmp_path):
    inner = server.put("/inner.mp4", clip.read_bytes())
    for name, text in {
        "a.mp4": f"#EXTM3U\n#EXTINF:1,\n{inner}\n#EXT-X-ENDLIST\n",
        "b.mp4": f"ffconcat version 1.0\nfile {inner}\n",
    }.items():
        url = server.put(f"/{name}", text.encode())
        checker = UrlChecker(timeout_s=5, is_opening=True)
        with checker.client:
            assert checker(url).status == "gone"
    assert "/inner.mp4" not in server.asked()


@pytest.mark.parametrize("kind", ["video/mp4", "text/html"])
def test_a_page_is_no_medium_whatever_it_is_called(server, kind):
    url = server.put("/a.mp4", b"<html>sign in</html>", kind=kind)
    checker = UrlChecker(timeout_s=5)
    with checker.client:
        assert checker(url) == Found(status="gone", reason="a web page, not a medium", http_status=200)


@pytest.mark.parametrize(
    "url", ["http://[::1/x", f"http://{'a' * 70}.org/", "hf://x", "hf://datasets/../..@x/y", "http://\0/"]
)
def test_a_hostile_address_is_gone(url):
    assert UrlChecker(timeout_s=5)(url).status == "gone"
