"""The review's HTTP side on loopback: only files of the dataset, only who was invited, only what makes sense."""

import json
from contextlib import contextmanager
from urllib.parse import urlencode

import numpy as np
import pytest

from cvr_data.media.video import write_mp4
from cvr_data.review.app import make_review_app
from cvr_data.review.serve import ReviewSources, open_review_session, read_review_sources
from cvr_data.review.session import Settings
from cvr_data.review.store import ReviewStore
from tests.dataset_folders import write_texts
from tests.loopback import app_served, ask

HOSTILE = "<script>alert(1)</script>"


class Server:
    """A review served in a thread."""

    def __init__(self, session, port):
        self.session = session
        self.port = port

    def get(self, path, headers=None, *, raw=False, **query):
        return self.ask("GET", path if raw else f"{path}?{urlencode({'annotator': 'ann', **query})}", headers or {})

    def post(self, path, content, headers=None, **query):
        headers = {"Content-Type": "application/json", **(headers or {})}
        where = f"{path}?{urlencode({'annotator': 'ann', **query})}"
        return self.ask("POST", where, headers, content if isinstance(content, bytes) else json.dumps(content).encode())

    def ask(self, method, target, headers, body=None):
        return ask(self.port, method, target, headers, body)


@contextmanager
def serving(sources, out, *, tokens=None, **settings):
    with ReviewStore(out) as store:
        dealt = Settings(**{"annotators": ("ann", "ben"), "overlap": 0.0, **settings})
        session = open_review_session(sources, read_review_sources(sources, dealt), store, dealt)
        app = make_review_app(session, tokens=tokens)
        try:
            with app_served(app) as port:
                yield Server(session, port)
        finally:
            session.media.close()


@pytest.fixture
def texts(tmp_path):
    (tmp_path / "data").mkdir()
    return write_texts(tmp_path / "data", verb=HOSTILE)


@pytest.fixture
def server(texts, tmp_path):
    with serving(ReviewSources(reviewed=texts), tmp_path / "review.sqlite", annotators=("ann",)) as running:
        yield running


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """A server that no test writes to; `media` is where its clips lie."""
    folder = tmp_path_factory.mktemp("calm")
    sources = ReviewSources(reviewed=write_texts(folder, verb=HOSTILE))
    with serving(sources, folder / "review.sqlite", annotators=("ann",)) as running:
        running.media = folder / "media"
        yield running


def body(server, decision="accept", **more):
    item = server.get("/api/state").json["item"]
    return {"request_id": "1", "item_id": item["item_id"], "decision": decision, "chosen": item["texts"][0], **more}


def test_a_judgment_is_stored_before_the_next_item_is_shown(server):
    first = server.get("/api/state").json
    assert (first["done"], first["total"]) == (0, 3)
    answer = server.post("/api/judgments", body(server))
    assert answer.status == 200
    assert (answer.json["done"], answer.json["last"]) == (1, "1")
    assert answer.json["item"]["item_id"] != first["item"]["item_id"]
    assert [made.item_id for made in server.session.store.judgments()] == [first["item"]["item_id"]]


def test_a_judgment_sent_again_changes_nothing_and_another_is_refused(server):
    sent = body(server)
    assert server.post("/api/judgments", sent).status == server.post("/api/judgments", sent).status == 200
    refused = server.post("/api/judgments", {**sent, "request_id": "2", "decision": "skip"})
    assert refused.status == 409
    assert refused.json["item"]["item_id"] != sent["item_id"]
    assert len(server.session.store.judgments()) == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"decision": "maybe"}, "decision should be one of accept, edit, reject, skip"),
        ({"decision": "reject"}, "reason should be one of bad_text"),
        ({"decision": "reject", "reason": "mood"}, "got 'mood'"),
        ({"decision": "edit", "modification": "  "}, "must not be empty"),
        ({"chosen": "something else"}, "none of the candidate texts"),
        ({"item_id": "nowhere"}, "no such item"),
        ({"request_id": None}, "request_id is missing"),
        ({"also_correct": [10**9]}, "list of numbers of videos"),
        ({"also_correct": [-1]}, "list of numbers of videos"),
        ({"also_correct": "1"}, "list of numbers of videos"),
        ({"note": 7}, "note should be a text"),
        ({"note": "x" * 2001}, "at most 2000 letters"),
    ],
)
def test_a_judgment_that_makes_no_sense_is_refused_in_one_line(calm, more, message):
    answer = calm.post("/api/judgments", {**body(calm), **more})
    assert answer.status == 400
    assert message in answer.json["error"]
    assert calm.session.store.judgments() == []


def test_what_is_no_json_object_is_refused(calm):
    assert calm.post("/api/judgments", b"{").status == 400
    assert calm.post("/api/judgments", b"[]").status == 400
    assert calm.post("/api/judgments", b'"' + b"x" * 70_000 + b'"').status == 413
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert calm.post("/api/judgments", b"decision=accept", form).status == 415
    assert calm.get("/api/judgments").status == 405


def number_of(server, video_id):
    return server.session.media.number_of[video_id]


def test_media_come_whole_and_in_ranges(calm):
    content = (calm.media / "r1.mp4").read_bytes()
    path = f"/media/{number_of(calm, 'r1')}"
    whole = calm.get(path)
    assert (whole.status, whole.body, whole.headers["content-type"]) == (200, content, "video/mp4")
    assert whole.headers["accept-ranges"] == "bytes"
    part = calm.get(path, {"Range": "bytes=10-19"})
    assert (part.status, part.body) == (206, content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(content)}"
    end = calm.get(path, {"Range": "bytes=-5"})
    assert (end.status, end.body) == (206, content[-5:])
    beyond = calm.get(path, {"Range": f"bytes={len(content)}-"})
    assert beyond.status == 416
    assert beyond.headers["content-range"] in (f"bytes */{len(content)}", f"*/{len(content)}")


def test_a_strip_is_a_picture_of_the_frames(calm):
    answer = calm.get(f"/strip/{number_of(calm, 'r1')}")
    assert (answer.status, answer.headers["content-type"], answer.body[:2]) == (200, "image/jpeg", b"\xff\xd8")


def test_nothing_but_the_datasets_files_is_served(calm):
    for path in (
        "/media/../../../../etc/passwd", "/media/%2e%2e/%2e%2e/etc/passwd", "/media/..%2f..%2fetc%2fpasswd",
        "/media//etc/passwd", "/media/r1", "/media/-1", "/media/99999999999999999999", "/strip/../review.py",
        "/review.py", "/../app.py", "/..%2fapp.py", "/static/review.js", "/.git/config", "/openapi.json",
    ):  # fmt: skip
        assert calm.get(f"{path}?annotator=ann", raw=True).status == 404, path
    assert calm.get(f"/media/{number_of(calm, 'g1')}").status == 404  # a url only


def test_a_link_that_leads_out_is_served_only_where_allowed(texts, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_mp4(elsewhere / "other.mp4", np.zeros((4, 32, 32, 3), np.uint8))
    (elsewhere / "secret.txt").write_text("secret")
    media = tmp_path / "data" / "media"
    for name, target in (("r1", "other.mp4"), ("b1", "secret.txt")):
        (media / f"{name}.mp4").unlink()
        (media / f"{name}.mp4").symlink_to(elsewhere / target)
    for allowed, status in (((), 404), ((elsewhere,), 200)):
        out = tmp_path / f"{status}.sqlite"
        with serving(ReviewSources(reviewed=texts, media=allowed), out, annotators=("ann",)) as server:
            assert server.get(f"/media/{number_of(server, 'r1')}").status == status
            assert server.get(f"/media/{number_of(server, 'b1')}").status == 404
            assert server.get(f"/media/{number_of(server, 'r2')}").status == 200


def test_a_file_that_becomes_a_link_later_is_not_served(server, tmp_path):
    write_mp4(tmp_path / "outside.mp4", np.zeros((2, 32, 32, 3), np.uint8))
    (tmp_path / "data" / "media" / "r1.mp4").unlink()
    (tmp_path / "data" / "media" / "r1.mp4").symlink_to(tmp_path / "outside.mp4")
    assert server.get(f"/media/{number_of(server, 'r1')}").status == 404
    assert server.get(f"/strip/{number_of(server, 'r1')}").status == 404


def test_with_tokens_everything_but_the_page_itself_needs_the_right_one(texts, tmp_path):
    tokens = {"ann": "right-token", "ben": "another"}
    with serving(ReviewSources(reviewed=texts), tmp_path / "review.sqlite", tokens=tokens) as server:
        for path in ("/api/state", "/media/0", "/strip/0", "/api/neighbours/x"):
            assert server.get(path).status == 403
            assert server.get(path, token="another").status == 403
            assert server.get(path, token="right-token\u00e9").status == 403
        assert server.get("/api/state", annotator="eve", token=" ").status == 403
        assert server.post("/api/judgments", {}, token="wrong").status == 403
        assert server.post("/api/undo", {}).status == 403
        assert server.get("/api/state", token="right-token").status == 200
        assert server.get("/api/state", {"Host": "review.example.org"}, token="right-token").status == 200
        assert server.get("/").status == 200


def test_without_tokens_only_loopback_names_are_answered(calm):
    assert calm.get("/api/state", {"Host": "evil.example.org"}).status == 421
    assert calm.get("/", {"Host": "evil.example.org:8765"}).status == 421
    assert calm.get("/api/state", {"Host": "localhost:1"}).status == 200
    assert calm.get("/api/state", annotator="eve").status == 403


def test_every_answer_keeps_the_page_to_itself(calm):
    for path in ("/", "/review.js", "/player.js", "/review.css", "/api/state", "/nowhere"):
        headers = calm.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    page = calm.get("/").body.decode()
    assert "http" not in page.replace("data:,", "")
    assert HOSTILE in calm.get("/api/state").json["item"]["texts"][0]
    assert b"innerHTML" not in calm.get("/review.js").body + calm.get("/player.js").body


def test_the_page_cannot_tell_a_gold_check_from_the_rest(texts, tmp_path):
    gold = tmp_path / "gold.csv"
    gold.write_text("reference_id,target_id,modification,answer\nr1,r2,make it square,reject\n", encoding="utf-8")
    with serving(ReviewSources(reviewed=texts, gold=gold), tmp_path / "review.sqlite", annotators=("ann",)) as server:
        assert server.get("/api/state").json["total"] == 4
        seen = []
        while (item := server.get("/api/state").json["item"]) is not None:
            seen.append(item)
            assert server.post("/api/judgments", body(server, request_id=item["item_id"])).status == 200
        assert {tuple(sorted(item)) for item in seen} == {
            ("changes", "item_id", "reference", "scores", "target", "texts")
        }
        assert all(item["reference"]["caption"] for item in seen)


def test_neighbours_are_of_the_split_and_can_be_marked_as_correct_too(texts, tmp_path, cvr):
    assert cvr("embed", tmp_path / "data" / "videos", "--encoder", "hash", "-O", tmp_path / "embeddings").code == 0
    sources = ReviewSources(reviewed=texts, embeddings=tmp_path / "embeddings", splits=("train",))
    with serving(sources, tmp_path / "review.sqlite", annotators=("ann",)) as server:
        item = server.get("/api/state").json["item"]
        assert server.get("/api/state").json["has_neighbours"]
        near = server.get(f"/api/neighbours/{item['item_id']}").json["neighbours"]
        names = [server.session.media.video_ids[video["number"]] for video in near]
        shown = {server.session.media.video_ids[item[end]["number"]] for end in ("reference", "target")}
        assert set(names) == {"r1", "b1", "g1"} - shown
        sent = body(server, also_correct=[near[0]["number"], item["target"]["number"]])
        assert server.post("/api/judgments", sent).status == 200
        assert server.session.store.judgments()[0].also_correct == (names[0],)
        again = server.post("/api/undo", {"request_id": "1"}).json
        assert again["previous"]["also_correct"] == [near[0]["number"]]
        assert (again["item"]["item_id"], again["done"]) == (item["item_id"], 0)


@pytest.mark.parametrize(
    "content", [b"[" * 60_000, b'{"note": "\\ud800"}', b'{"request_id": "\\udfff", "item_id": 1}', b"\xff", b""]
)
def test_a_body_that_is_no_text_or_too_deep_is_a_mistake_of_the_sender(calm, content):
    assert 400 <= calm.post("/api/judgments", content).status < 500
    assert 400 <= calm.post("/api/undo", content).status < 500
