"""The search's HTTP side on loopback: the answers of the command, only files of the library, only what makes sense."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from cvr_bench.search.desk import MAX_TEXT, SearchSources
from cvr_bench.search.library import open_search_library
from cvr_bench.search.question import Question, SearchModel
from cvr_bench.search.searcher import search
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact
from tests.dataset_folders import write_videos
from tests.search_world import ROOT, Search, embedded, served

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=alert(1)>"


ASKED = {"like": "r1", "texts": ["make it blue"], "without": ["a cube"]}


def test_an_answer_is_that_of_the_command(calm, sources):
    answer = calm.post("/api/search", {**ASKED, "count": 3})
    assert answer.status == 200
    question = Question(like="r1", texts=("make it blue",), without=("a cube",))
    found = search(open_search_library(sources.videos, sources.embeddings), question, SearchModel(), 3)
    results = answer.json["results"]
    assert [hit["video"] for hit in results] == [each.video_id for each in found]
    for hit, each in zip(results, found, strict=True):
        assert (hit["score"], hit["by_text"], hit["by_video"]) == pytest.approx(
            (each.score, each.by_text, each.by_video), abs=1e-6
        )
    assert {hit["video"]: hit["kind"] for hit in calm.post("/api/search", {"texts": ["x"]}).json["results"]}[
        "g1"
    ] is None


def test_why_adds_up_to_the_answer(calm):
    hit = calm.post("/api/search", ASKED).json["results"][0]
    why = calm.post("/api/why", {**ASKED, "video": hit["video"]}).json
    assert why["by_video"] == pytest.approx(hit["by_video"], abs=1e-6)
    assert [said["text"] for said in why["texts"] + why["without"]] == ["make it blue", "a cube"]
    assert why["texts"][0]["score"] == pytest.approx(hit["by_text"], abs=1e-6)
    assert len(why["texts"][0]["frames"]) == len(why["frames_by_video"]) == 4
    strip = calm.get(f"/strip/{hit['number']}")
    assert (strip.status, strip.headers["content-type"], strip.body[:2]) == (200, "image/jpeg", b"\xff\xd8")
    only_text = calm.post("/api/why", {"texts": ["make it blue"], "video": "b1"}).json
    assert (only_text["by_video"], only_text["frames_by_video"]) == (None, [])


def test_videos_are_listed_by_words_and_from_a_place(calm):
    assert [video["video"] for video in calm.get("/api/videos", words="RED").json["videos"]] == ["r1", "r2"]
    every = calm.get("/api/videos").json
    assert every["total"] == len(every["videos"]) == 5
    assert calm.get("/api/videos", start="3").json["videos"] == every["videos"][3:]
    assert calm.get("/api/videos", words="[(").json["total"] == 0
    assert calm.get("/api/videos", start="-1").status == 400


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({}, "Nothing is asked"),
        ({"without": ["a cube"]}, "Nothing is asked"),
        ({"texts": "make it blue"}, "should be a list"),
        ({"texts": ["a"] * 9}, "at most 8 texts"),
        ({"texts": ["x" * (MAX_TEXT + 1)]}, "at most 2,000 letters"),
        ({"like": "r1", "texts": False}, "texts should be a list"),
        ({"like": "r1", "without": ""}, "without should be a list"),
        ({"texts": ["a"], "count": 0}, "from 1 to 100"),
        ({"texts": ["a"], "count": True}, "from 1 to 100"),
        ({"like": 7}, "should be the id"),
        ({"like": "nowhere"}, "is no video of"),
        ({"like": "/etc/hostname"}, "is no video of"),
        ({"like": "../../etc/passwd"}, "is no video of"),
        ({"like": "upload-of-nobody"}, "is no video of"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_in_one_line(calm, sent, message):
    answer = calm.post("/api/search", sent)
    assert answer.status == 400
    assert message in answer.json["error"] and "\n" not in answer.json["error"]


def test_a_path_of_this_machine_is_no_clip(calm):
    path = calm.media / "r1.mp4"
    assert path.is_file()
    assert calm.post("/api/search", {"like": str(path)}).status == 400


def test_bodies_that_are_too_long_or_no_json_are_refused(calm):
    assert calm.post("/api/search", {"texts": ["x" * 100_000]}).status == 413
    assert calm.post("/api/search", b"{").status == 400
    assert calm.post("/api/search", b"[]").status == 400
    assert calm.post("/api/search", b"[" * 60_000).status == 400
    assert calm.post("/api/search", b"texts=a", {"Content-Type": "text/plain"}).status == 415
    assert calm.get("/api/search").status == 405


@pytest.mark.slow
def test_marks_are_stored_taken_back_and_become_triplets(server, cvr, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    asked = {"like": "r1", "texts": ["make it  blue"], "without": []}
    assert server.post("/api/search", asked).json["can_mark"]
    for video, mark in (("b1", "right"), ("g1", "wrong"), ("r2", "right"), ("r2", None)):
        assert server.post("/api/marks", {**asked, "video": video, "mark": mark}).json["mark"] == mark
    other = {"like": "r1", "texts": ["blue now"], "without": ["a cube"]}
    assert server.post("/api/marks", {**other, "video": "b1", "mark": "right"}).json["marks"] == {
        "right": 2,
        "wrong": 1,
    }
    marks = {hit["video"]: hit["mark"] for hit in server.post("/api/search", asked).json["results"]}
    assert marks == {"b1": "right", "g1": "wrong", "r2": None, "b2": None}
    written = cvr("export-judgments", tmp_path / "marks.sqlite", "-O", "judgments", "--texts", "texts")
    assert written.code == 0, written.err
    assert cvr("build-triplets", "texts", "--judgments", "judgments", "--name", "searched").code == 0
    built = {(row["reference_id"], row["modification"], row["target_id"]): row
             for row in open_artifact("annotations/searched").read().to_pylist()}  # fmt: skip
    assert set(built) == {("r1", "make it blue", "b1"), ("r1", "blue now, without a cube", "b1")}
    assert {row["split"] for row in built.values()} == {"train"}
    assert open_artifact("annotations/searched").manifest["dropped"] == {"review_other": 1}


def test_marks_outlive_a_restart_and_belong_to_their_videos(sources, tmp_path, cvr):
    asked = {**ASKED, "video": "b1", "mark": "right"}
    with served(sources, tmp_path / "marks.sqlite") as first:
        assert first.post("/api/marks", asked).status == 200
    with served(sources, tmp_path / "marks.sqlite") as second:
        assert second.get("/api/status").json["marks"] == {"right": 1, "wrong": 0}
        assert second.post("/api/marks", {**asked, "mark": None}).json["marks"] == {"right": 0, "wrong": 0}
    empty = cvr("export-judgments", tmp_path / "marks.sqlite", "-O", tmp_path / "judgments")
    assert empty.code == 2


def test_marks_know_their_videos_until_these_move(sources, tmp_path, cvr, one_line_error):
    export = ("export-judgments", tmp_path / "marks.sqlite", "-O", tmp_path / "judgments", "--texts", tmp_path / "new")
    home = tmp_path / "home"
    shutil.copytree(sources.videos, home)
    with served(replace(sources, videos=home), tmp_path / "marks.sqlite") as server:
        server.post("/api/marks", {**ASKED, "video": "b1", "mark": "right"})
    home.rename(tmp_path / "moved")
    assert f"({home} is gone); pass their folder with --videos" in one_line_error(*export)
    moved = cvr(*export, "--videos", tmp_path / "moved")
    assert moved.code == 0, moved.err
    with sqlite3.connect(tmp_path / "marks.sqlite") as older:
        older.execute("DELETE FROM settings WHERE name = 'videos'")
    assert "it does not say which" in one_line_error(*export, "--overwrite")
    assert cvr(*export, "--videos", tmp_path / "moved").out == moved.out


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"like": None, "texts": ["a"], "video": "b1", "mark": "right"}, "reference clip of the library"),
        ({"like": "r1", "video": "b1", "mark": "right"}, "and a text"),
        ({**ASKED, "video": "r1", "mark": "right"}, "no video 'r1' that could answer"),
        ({**ASKED, "video": "nowhere", "mark": "right"}, "no video 'nowhere'"),
        ({**ASKED, "video": "b1", "mark": "maybe"}, "right, wrong or null"),
        ({**ASKED, "video": "b1", "mark": 1}, "right, wrong or null"),
        ({**ASKED, "mark": "right"}, "video should be the id"),
    ],
)
def test_a_mark_that_makes_no_sense_is_refused(calm, sent, message):
    answer = calm.post("/api/marks", sent)
    assert answer.status == 400
    assert message in answer.json["error"]
    assert calm.get("/api/status").json["marks"] == {"right": 0, "wrong": 0}


def test_media_come_in_ranges_and_nothing_else_is_served(calm):
    number = calm.desk.media.number_of["r1"]
    content = (calm.media / "r1.mp4").read_bytes()
    assert calm.get(f"/media/{number}").body == content
    part = calm.get(f"/media/{number}", {"Range": "bytes=10-19"})
    assert (part.status, part.body) == (206, content[10:20])
    for path in (
        "/media/../../../../etc/passwd", "/media/%2e%2e/%2e%2e/etc/passwd", "/media/r1", "/media/-1", "/strip/-1",
        "/media/99999999999999999999", "/strip/99999999999999999999", "/upload/..%2f..%2fetc%2fpasswd", "/upload/x",
        "/upload/../search.py", "/desk.py", "/static/search.js", "/.git/config",
        f"/media/{calm.desk.media.number_of['g1']}",
    ):  # fmt: skip
        assert calm.get(path).status == 404, path


def test_a_clip_whose_file_is_gone_is_still_found_by_its_features(tmp_path):
    videos = write_videos(tmp_path / "videos")
    features = embedded(videos, tmp_path / "embeddings")
    (tmp_path / "media" / "b1.mp4").unlink()
    (tmp_path / "media" / "b2.mp4").write_bytes(b"no clip any more")
    with served(SearchSources(videos=videos, embeddings=features), tmp_path / "marks.sqlite") as server:
        hits = {hit["video"]: hit for hit in server.post("/api/search", {"like": "r1"}).json["results"]}
        assert hits["b1"]["kind"] is None
        assert server.get(f"/media/{hits['b1']['number']}").status == 404
        for name in ("b1", "b2"):
            assert server.get(f"/strip/{hits[name]['number']}").status == 404
            assert server.post("/api/why", {"like": "r1", "video": name}).status == 200
        assert server.post("/api/search", {"like": "b1", "texts": ["red"]}).status == 200


def altered(folder, change):
    """Write the videos again with other rows, and their features; return what is searched."""
    table = open_artifact(write_videos(folder / "plain")).read()
    with ArtifactWriter(folder / "videos", stage="import-tiny") as writer:
        writer.write_part(0, table.from_pylist([change(row) for row in table.to_pylist()], schema=table.schema))
        writer.finish()
    return SearchSources(videos=folder / "videos", embeddings=embedded(folder / "videos", folder / "embeddings"))


def test_a_clip_of_a_longer_file_comes_with_its_times(tmp_path):
    times = {"start_s": 0.1, "end_s": 0.2}
    sources = altered(tmp_path, lambda row: row | times if row["video_id"] == "r1" else row)
    with served(sources, tmp_path / "marks.sqlite") as server:
        listed = {video["video"]: video for video in server.get("/api/videos").json["videos"]}
        assert listed["r1"].items() >= times.items()
        assert "start_s" not in listed["b1"]


def test_with_a_token_everything_but_the_page_itself_needs_it(sources, tmp_path):
    with served(sources, tmp_path / "marks.sqlite", token="right-token") as server:
        gets = ("/api/status", "/api/videos", "/media/0", "/strip/0", "/upload/x")
        posts = ("/api/search", "/api/why", "/api/marks", "/api/uploads")
        for given in ({}, {"token": "wrong"}, {"token": "right-token\u00e9"}):
            assert {server.get(path, **given).status for path in gets} == {403}
            assert {server.post(path, {"texts": ["a"]}, **given).status for path in posts} == {403}
        assert server.get("/api/status", token="right-token").status == 200
        assert server.get("/api/status", {"Host": "search.example.org"}, token="right-token").status == 200
        assert server.post("/api/search", {"texts": ["a"]}, token="right-token").status == 200
        assert server.get("/").status == 200


def test_without_a_token_only_loopback_names_are_answered(calm):
    assert calm.get("/", {"Host": "evil.example.org"}).status == 421
    assert calm.post("/api/search", ASKED, {"Host": "evil.example.org:8766"}).status == 421
    assert calm.get("/api/status", {"Host": "localhost:1"}).status == 200


def test_every_answer_keeps_the_page_to_itself(calm):
    for path in ("/", "/search.js", "/search.css", "/player.js", "/review.css", "/api/status", "/nowhere"):
        headers = calm.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
    assert "http" not in calm.get("/").body.decode()
    assert b"innerHTML" not in calm.get("/search.js").body + calm.get("/player.js").body


def test_many_at_once_get_what_each_gets_alone(calm):
    questions = [{"like": name, "texts": [text], "count": 4} for name in ("r1", "b1", "r2", "b2") for text in "abcde"]

    def scores(asked):
        return {hit["video"]: hit["score"] for hit in calm.post("/api/search", asked).json["results"]}

    alone = [scores(asked) for asked in questions]
    with ThreadPoolExecutor(20) as pool:
        together = list(pool.map(scores, questions))
    assert together == [pytest.approx(each, abs=1e-6) for each in alone]


def test_until_it_is_loaded_it_says_what_it_is_doing(sources, tmp_path):
    with served(sources, tmp_path / "marks.sqlite", load=False) as server:
        assert server.get("/").status == 200
        status = server.get("/api/status").json
        assert (status["ready"], status["doing"]) == (False, "starting")
        assert [server.post(path, ASKED).status for path in ("/api/search", "/api/why", "/api/marks")] == [503] * 3
        assert server.get("/api/videos").status == server.bring(b"x", "a.mp4").status == 503
        threading.Thread(target=server.desk.load).start()
        while not server.get("/api/status").json["ready"]:
            pass
        assert server.post("/api/search", ASKED).status == 200


def test_words_of_the_library_stay_words(tmp_path):
    sources = altered(tmp_path, lambda row: row | {"captions": [HOSTILE]})
    with served(sources, tmp_path / "marks.sqlite") as server:
        answer = server.post("/api/search", {"texts": [HOSTILE]})
        assert answer.headers["content-type"] == "application/json"
        assert {hit["caption"] for hit in answer.json["results"]} == {HOSTILE}


def test_a_model_of_the_bench_ranks_and_one_that_is_not_trained_is_refused(sources, tmp_path, one_line_error):
    text_only = replace(sources, model=SearchModel(name="text-only"))
    with served(text_only, tmp_path / "marks.sqlite") as server:
        hits = server.post("/api/search", ASKED | {"without": []}).json["results"]
        assert all(hit["score"] == pytest.approx(hit["by_text"], abs=1e-5) for hit in hits)
    words = ("-O", tmp_path / "other.sqlite", "--port", "0", "--no-token")
    line = one_line_error("serve", sources.videos, "-e", sources.embeddings, "-m", "combiner", *words)
    assert "has to be trained" in line


def test_what_cannot_be_served_is_one_line(sources, tmp_path, one_line_error):
    assert "videos" in one_line_error("serve", tmp_path / "videos", "-e", sources.embeddings)
    assert "embeddings" in one_line_error("serve", sources.videos, "-e", tmp_path / "embeddings")
    assert "--host is empty" in one_line_error("serve", sources.videos, "-e", sources.embeddings, "--host", "")
    (tmp_path / "broken.sqlite").write_bytes(b"no database")
    assert "broken.sqlite" in one_line_error(
        "serve", sources.videos, "-e", sources.embeddings, "-O", tmp_path / "broken.sqlite", "--port", "0"
    )


@pytest.mark.engine
def test_the_command_serves_until_it_is_told_to_end_and_leaves_no_clip(sources, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    running = Search(sources.videos, "-e", sources.embeddings, "-O", tmp_path / "marks.sqlite", "--token")
    assert len(running.link.partition("token=")[2]) > 20
    assert "videos loaded in" in running.process.stdout.readline()
    assert list(tmp_path.glob("cvr-search-*"))
    assert running.stop(signal.SIGTERM) == 143
    assert not list(tmp_path.glob("cvr-search-*"))


@pytest.mark.slow
def test_of_many_videos_an_index_answers_and_says_its_recall(sources, calm, tmp_path, monkeypatch):
    monkeypatch.setattr("cvr_bench.search.desk.EXACT", 4)
    with served(sources, tmp_path / "marks.sqlite") as server:
        assert server.get("/api/status").json["recall_at_10"] == 1.0  # of five videos all cells are looked at
        for asked in ({"like": "r1", "texts": ["make it blue"]}, ASKED):
            assert server.post("/api/search", asked).json["results"] == [
                {**hit, "score": pytest.approx(hit["score"], abs=1e-6)}
                for hit in calm.post("/api/search", asked).json["results"]
            ]
    with served(replace(sources, exact=True), tmp_path / "other.sqlite") as server:
        assert server.get("/api/status").json["recall_at_10"] is None


@pytest.mark.slow
def test_the_page_waits_for_no_torch():
    code = "import cvr_bench.search.serve, cvr_bench.search.app, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
