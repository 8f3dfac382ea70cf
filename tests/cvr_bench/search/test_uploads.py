"""Clips that are brought to a search: looked at like any other, kept for a while, and gone with the server."""

import socket
import time

import numpy as np
import pytest
from PIL import Image

from cvr_data.media.video import write_mp4

pytestmark = pytest.mark.slow

ASKED = {"like": "r1", "texts": ["make it blue"], "without": ["a cube"]}


def test_a_clip_that_is_brought_is_looked_at_and_shown(calm):
    content = (calm.media / "b2.mp4").read_bytes()
    brought = calm.bring(content, "../../mine.mp4").json
    assert brought["caption"] == "mine.mp4"
    assert calm.get(brought["src"]).body == content
    asked = {"like": brought["video"], "texts": [], "count": 5}
    answer = calm.post("/api/search", asked).json
    assert answer["results"][0]["by_video"] == pytest.approx(1.0, abs=1e-5)
    assert answer["results"][0]["video"] in ("b1", "b2")  # equal pictures
    assert answer["can_mark"] is False
    why = calm.post("/api/why", {**asked, "video": "r1"}).json
    assert why["by_video"] < 0.999


def test_what_is_no_clip_is_refused_and_leaves_nothing(calm):
    folder = calm.desk.uploads.place("a.mp4").parent
    before = sorted(folder.iterdir())
    for content, name, status, message in (
        (b"#!/bin/sh\necho hello\n", "clip.mp4", 400, "clip.mp4"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "list.mp4", 400, "list.mp4"),
        (b"", "empty.mp4", 400, "empty.mp4"),
        (b"MZ" * 100, "clip.exe", 400, "ends in one of"),
        (b"x", "", 400, "ends in one of"),
        (b"x" * 200_001, "large.mp4", 413, "may have 0 MB"),
    ):
        answer = calm.bring(content, name)
        assert (answer.status, message in answer.json["error"]) == (status, True), answer.json
        assert "cvr-search-" not in answer.json["error"]
    assert calm.post("/api/uploads", b"x", {"Content-Type": "video/mp4"}, name="a.mp4").status == 415
    assert sorted(folder.iterdir()) == before


def test_a_body_without_a_length_ends_where_it_may(calm):
    connection_headers = {"Content-Type": "application/octet-stream", "Transfer-Encoding": "chunked"}
    body = b"".join(b"%x\r\n" % 10_000 + b"x" * 10_000 + b"\r\n" for _ in range(30)) + b"0\r\n\r\n"
    answer = calm.ask("POST", "/api/uploads?name=a.mp4", connection_headers, body)
    assert answer.status == 413


def test_only_so_many_clips_are_kept(server, monkeypatch):
    monkeypatch.setattr("cvr_bench.search.uploads.KEPT", 2)
    content = (server.desk.sources.videos.parent / "media" / "r1.mp4").read_bytes()
    brought = [server.bring(content, f"{number}.mp4").json for number in range(3)]
    assert [server.get(each["src"]).status for each in brought] == [404, 200, 200]
    assert len(list(server.desk.uploads.place("a.mp4").parent.iterdir())) == 2


def test_a_clip_that_browsers_do_not_play_is_made_into_one_that_they_play(calm, tmp_path):
    write_mp4(tmp_path / "clip.mp4", np.zeros((4, 32, 32, 3), np.uint8))
    brought = calm.bring((tmp_path / "clip.mp4").read_bytes(), "clip.mov").json
    shown = calm.get(brought["src"])
    assert (shown.status, shown.headers["content-type"], shown.body[4:8]) == (200, "video/mp4", b"ftyp")


def test_a_picture_may_be_brought_too(calm, tmp_path):
    Image.fromarray(np.full((20, 4000, 3), (30, 30, 220), np.uint8)).save(tmp_path / "wide.png")
    brought = calm.bring((tmp_path / "wide.png").read_bytes(), "wide\n.png").json
    assert brought["kind"] == "image"
    assert calm.get(brought["src"]).headers["content-type"] == "image/png"
    assert calm.post("/api/search", {"like": brought["video"], "texts": ["\x00 \x1b[31m \u202e"]}).status == 200


@pytest.mark.slow
def begun_upload(server, files):
    """Send the beginning of a clip and no more; return when so many lie there."""
    link = socket.create_connection(("127.0.0.1", server.port))
    lines = "POST /api/uploads?name=a.mp4 HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/octet-stream"
    link.sendall("\r\n".join((*lines, "Content-Length: 1000", "", "x" * 100)).encode())
    wait_for_files(server, files)
    return link


def wait_for_files(server, count):
    while len(list(server.desk.uploads.place("a.mp4").parent.iterdir())) != count:
        time.sleep(0.01)


def test_uploads_that_break_off_or_stall_leave_nothing_and_block_nobody(server, monkeypatch):
    begun_upload(server, 1).close()
    wait_for_files(server, 0)
    monkeypatch.setattr("cvr_bench.search.app.PAUSE_S", 6.0)
    slow = [begun_upload(server, count) for count in (1, 2)]
    assert server.bring(b"x", "a.mp4").status == 429
    assert server.post("/api/search", ASKED).status == 200
    for link in slow:
        with link, link.makefile("rb") as answer:
            assert b" 408 " in answer.readline()
    wait_for_files(server, 0)
    assert server.bring((server.desk.sources.videos.parent / "media" / "r1.mp4").read_bytes(), "a.mp4").status == 200
