"""Embedders behind HTTP, against a real loopback server that makes its vectors of the pictures that it is sent."""

import dataclasses
import json
import sqlite3

import numpy as np
import pyarrow as pa
import pytest

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.encoders.embedder import Embedder
from cvr_data.features.encoders.networks.embedding_input import EmbeddingInput
from cvr_data.features.store import FeatureStore
from cvr_data.tables import DISTRACTORS
from tests.embedding_server import EmbeddingServer, Reply, pieces_of
from tests.native_embedders import FILMS, FRAMES, grey_embedding, write_film_triplets, write_films

pytestmark = pytest.mark.slow

KEY = "sk-loopback-1234567890"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("VOYAGE_API_KEY", KEY)
    with EmbeddingServer(KEY) as found:
        yield found


@pytest.fixture
def words(server, tmp_path):
    """The options of a remote model, for `cvr embed` and for an encoder."""
    options = [f"url={server.url}", "api=openai", "model=grey", f"cache={tmp_path / 'requests.sqlite'}",
               f"frames={FRAMES}", "sampler=uniform"]  # fmt: skip
    return [word for option in options for word in ("-o", option)]


def encoder(words, *more) -> Embedder:
    """The encoder; of options that come twice the last counts."""
    return ENCODERS.get("embedder").load(ENCODERS.config("embedder", [*words[1::2], *more]))


def expected(name, text=""):
    """What the server's model makes of a film, as its vector of unit length."""
    row = np.array(grey_embedding(FILMS[name][0], FILMS[name][-1], text))
    return row / np.linalg.norm(row)


def test_each_item_is_asked_for_once_and_the_vectors_are_the_servers(cvr, server, words, tmp_path):
    videos = write_films(tmp_path)
    cvr.done("embed", videos, "--encoder", "embedder", *words, "--out", tmp_path / "features")
    asked = len(server.bodies)
    assert asked == 2 * len(FILMS) + 1, "a probe, each film, and its caption"
    store = FeatureStore.open(tmp_path / "features")
    rows = store.pooled(list(FILMS)).numpy()
    for name, row in zip(FILMS, rows, strict=True):
        assert row @ expected(name) == pytest.approx(1, abs=2e-3), "as JPEG has it"
    again = cvr("embed", videos, "--encoder", "embedder", *words, "--out", tmp_path / "again")
    assert again.code == 0 and len(server.bodies) == asked, "the cache answers"
    assert (FeatureStore.open(tmp_path / "again").pooled(list(FILMS)).numpy() == rows).all()
    for body in server.bodies:
        pictures, _ = pieces_of(body)
        if pictures:
            about = body["media_io_kwargs"]["video"]
            assert about.pop("frames_indices") == [*range(FRAMES)] and len(pictures) == FRAMES
            assert about == {"total_num_frames": FRAMES, "fps": 4.0, "duration": 2.0, "do_sample_frames": False}


def test_a_dry_run_tells_the_price_and_asks_nothing(cvr, server, words, tmp_path, one_line_error):
    """5 films of 8 frames at 800 tokens, and 5 captions of a word at 1.4; then 10 tokens a text and 18 a film.

    What is asked to learn the width says nothing of what films take.
    """
    videos = write_films(tmp_path)
    command = ["embed", videos, "--encoder", "embedder", *words, "--dry-run", "--price-in", "100"]
    encoder(words)
    server.bodies.clear()
    guessed = cvr(*command)
    assert "10 requests at most, about 32007 tokens (800 a frame), 3.20 at 100 a million" in guessed.out, guessed
    assert not server.bodies
    cvr.done("embed", videos, "--encoder", "embedder", *words, "--out", tmp_path / "features")
    asked = len(server.bodies)
    assert f"about {5 * 10 + 5 * 18} tokens (as earlier requests had them)" in cvr(*command).out
    assert len(server.bodies) == asked
    assert "asks none" in one_line_error("embed", videos, "--encoder", "hash", "--dry-run")


def test_the_key_goes_into_the_header_and_nowhere_else(cvr, server, words, tmp_path):
    out = tmp_path / "features"
    made = cvr("embed", write_films(tmp_path), "--encoder", "embedder", *words, "--out", out)
    assert made.code == 0 and set(server.secrets) == {f"Bearer {KEY}"}
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(KEY.encode() in path.read_bytes() for path in written) and KEY not in made.out + made.err
    assert server.url not in json.dumps(open_artifact(out).manifest["config"])


def test_a_server_that_says_wait_is_waited_for(server, words):
    model = encoder(words, "concurrency=1").model
    server.faults = [Reply(429, {"Retry-After": "0.3"}), Reply(503), Reply(200, body='{"data": [{"embedding": []}]}')]
    before = len(server.times)
    rows, said = model.encode_or_say([item("a lake")], "query", None)
    assert said == [None] and rows.shape == (1, 4)
    times = server.times[before:]
    assert len(times) == 4 and times[1] - times[0] >= 0.3


ODD_VALUES = ("[1, NaN]", "[1, 1e999]", f"[1, {'9' * 400}]", "[0, 0, 0, 0]", "[true, false]", '"AACAPw=="', "[[1]]")


def test_what_is_no_embedding_is_asked_for_again_and_counts_that_are_none_are_not_kept(server, words):
    model = encoder(words, "concurrency=1").model
    model.remote = dataclasses.replace(model.remote, retries=1)
    for number, value in enumerate([*ODD_VALUES, "[" * 100_000]):
        server.faults = [Reply(200, body=f'{{"data": [{{"embedding": {value}}}]}}')]
        rows, said = model.encode_or_say([item(f"lake {number}")], "query", None)
        assert said == [None] and rows.any(), value[:20]
    odd = '{"data": [{"embedding": [1, 2, 3, 4]}], "usage": {"total_tokens": %s}}' % 10**30
    server.faults = [Reply(200, body=odd)]
    assert model.encode_or_say([item("hill")], "query", None)[1] == [None]


def test_an_embedding_of_another_width_is_not_kept(server, words):
    model = encoder(words).model
    server.faults = [Reply(200, body='{"data": [{"embedding": [1, 2]}]}')]
    with pytest.raises(CvrError, match="gave embeddings of 4 and of 2 numbers"):
        model.encode_or_say([item("a lake")], "query", None)
    assert model.encode_or_say([item("a lake")], "query", None)[0].shape == (1, 4)


def test_a_width_that_a_server_does_not_know_of_is_cut_here(server, words):
    whole, cut = encoder(words), encoder(words, "dim=2")
    assert cut.dim == 2
    row = whole.model.encode([item("a lake")], "query", None)
    assert (cut.model.encode([item("a lake")], "query", None) == row[:, :2]).all()
    with pytest.raises(CvrError, match="4 numbers, which dim=8 cannot be cut from"):
        encoder(words, "dim=8")


@pytest.mark.parametrize("status", [401, 402, 429])
def test_a_key_that_ends_in_the_middle_ends_the_run_and_drops_nothing(server, words, status):
    model = encoder(words, "concurrency=1", "retries=0").model
    server.refuses = lambda greys, text: server.faults.append(Reply(status))
    assert model.encode_or_say([item("a lake")], "query", None)[1] == [None]
    with pytest.raises(CvrError, match=rf"{status} told to fail.*; what it answered is kept"):
        model.encode_or_say([item(f"hill {number}") for number in range(5)], "query", None)
    assert len(server.times) == 3, "nothing is asked of a server that takes no key"


def test_a_server_that_fails_at_all_that_is_under_way_is_gone_and_drops_nothing(server, words):
    model = encoder(words, "concurrency=4", "retries=0").model
    server.faults = [Reply(503)] * 4
    with pytest.raises(CvrError, match="the server stopped answering; what it answered is kept"):
        model.encode_or_say([item("a lake"), item("a hill"), item("a fen")], "query", None)
    server.faults = [Reply(503)]
    rows, said = model.encode_or_say([item("a moor")], "query", None)
    assert said[0].startswith("503") and not rows.any(), "the server answers, so it fails at this item alone"


def item(text):
    return EmbeddingInput(text)


def test_one_bad_item_is_a_row_and_not_the_run(cvr, server, words, tmp_path):
    server.refuses = lambda greys, text: text == "grey" or (greys and greys[0] < 40 and greys[-1] < 40)
    out = tmp_path / "features"
    made = cvr("embed", write_films(tmp_path), "--encoder", "embedder", *words, "--out", out)
    assert made.code == 0 and "dropped 2: refused: 400 this item is not allowed" in made.out, made
    dropped = {row["video_id"]: row["detail"] for row in open_artifact(out).dropped().to_pylist()}
    assert dropped.pop("dark") == "400 this item is not allowed" and list(dropped.values()) == [
        "400 this item is not allowed: grey"
    ]
    left = [name for name in FILMS if name != "dark"]
    store = FeatureStore.open(out)
    assert store.has_videos(list(FILMS)).tolist() == [name in left for name in FILMS]
    for name, row in zip(left, store.pooled(left).numpy(), strict=True):
        assert row @ expected(name) == pytest.approx(1, abs=2e-3), "no row took another one's place"
    server.refuses = lambda greys, text: False
    asked = len(server.bodies)
    cvr.done("embed", tmp_path / "videos", "--encoder", "embedder", *words, "--out", out, "--overwrite")
    assert len(server.bodies) == asked + 2, "a refusal is no answer: it is asked again"


def test_a_refused_query_has_no_vector_and_the_others_have_theirs(server, words, caplog):
    server.refuses = lambda greys, text: "dark" in text
    rows = encoder(words).encode_texts(["a lake", "in the dark", "a hill"]).pooled_BD
    assert [bool(row.any()) for row in rows] == [True, False, True]
    assert "1 of 3 items have no embedding: 400 this item is not allowed" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("api", ["openai", "voyage"])
def test_reference_and_text_are_one_input_and_audits_embed_anew(cvr, server, tmp_path, monkeypatch, api):
    """Turning a film round is the first query; backwards frames turn it back, so that its R@1 falls."""
    monkeypatch.setenv("CVR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(f"{api.upper()}_BASE_URL", server.url)
    options = [f"api={api}", "model=grey", f"frames={FRAMES}", "sampler=uniform"]
    words = [word for option in options for word in ("-o", option)]
    out = tmp_path / "features"
    cvr.done("embed", write_films(tmp_path), "--encoder", "embedder", *words, "--out", out)
    bench = ["bench", "--model", "embedder", "--data", write_film_triplets(tmp_path), "-e", out, "--json"]
    found = cvr.done(*bench, "--out", tmp_path / "results")
    texts = {text for body in server.bodies for pictures, text in [pieces_of(body)] if pictures and text}
    assert texts >= {"turn it round", "darker", "brighter"}
    sides = {body.get("input_type") for body in server.bodies}
    assert sides == ({"query", "document"} if api == "voyage" else {None})
    (run,) = json.loads(found.out)
    assert run["metrics"]["R@1"]["value"] == 100.0
    backwards = [pictures for body in server.bodies for pictures, text in [pieces_of(body)] if len(pictures) == FRAMES]
    assert any(pictures == other[::-1] for pictures in backwards for other in backwards), "no film was turned round"
    asked = len(server.bodies)
    assert cvr(*bench, "--out", tmp_path / "again").code == 0 and len(server.bodies) == asked


@pytest.mark.slow
def test_distractors_join_the_gallery_and_its_audits(cvr, server, words, tmp_path, monkeypatch):
    monkeypatch.setenv("CVR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    out, videos = tmp_path / "features", write_films(tmp_path)
    cvr.done("embed", videos, "--encoder", "embedder", *words, "--out", out)
    triplets = write_film_triplets(tmp_path, 2)
    row = {"query_id": "q", "video_id": "bright", "reference_id": "grey", "target_id": "dark"}
    with ArtifactWriter(tmp_path / "distractors", stage="mine-distractors") as writer:
        writer.write_part(0, pa.Table.from_pylist([row], schema=DISTRACTORS))
        writer.finish()
    bench = ["bench", "--model", "embedder", "--data", triplets, "-e", out, "--json", "--out", tmp_path / "results"]
    found = cvr.done(*bench, "--distractors", tmp_path / "distractors")
    (run,) = json.loads(found.out)
    assert run["metrics"]["R@1"]["value"] == 100.0
    assert run["chance"]["R@1"] == 25.0, "among three named videos and the distractor"
    queries = [pictures for body in server.bodies for pictures, text in map(pieces_of, [body]) if pictures and text]
    assert len(queries) > 2, "the audit asked for other frames and texts"


def test_a_server_that_is_not_there_or_takes_no_key_is_one_line(words, monkeypatch, server):
    monkeypatch.setenv("OPENAI_API_KEY", "another")
    with pytest.raises(CvrError, match=r"refuses the key of \$OPENAI_API_KEY"):
        encoder(words)
    with pytest.raises(CvrError, match="url should look like https://host/v1"):
        ENCODERS.config("embedder", ["model=m", "api=openai", "url=ftp://x"])
    with pytest.raises(CvrError, match="say which interface it has"):
        ENCODERS.config("embedder", ["model=m", "url=http://127.0.0.1:1/v1"])
    with pytest.raises(CvrError, match="sound is not sent"):
        ENCODERS.config("embedder", ["model=m", "api=openai", "audio=true"])


def test_no_more_requests_are_under_way_than_allowed(server, words):
    server.pause_s = 0.02
    found = encoder(words, "concurrency=3")
    found.model.encode_or_say([item(f"text {number}") for number in range(12)], "query", None)
    assert 1 < server.most_active <= 3


def test_what_a_cache_holds_of_texts_is_no_vector(server, words, tmp_path):
    encoder(words)
    with sqlite3.connect(tmp_path / "requests.sqlite") as connection:
        connection.execute("UPDATE answers SET text = 'a lake'")
    with pytest.raises(CvrError, match="holds a text where an embedding"):
        encoder(words, "retries=1")


def test_where_no_server_is_the_variable_that_names_it_is_told(words):
    with pytest.raises(CvrError, match=r"No server answers at .*; \$OPENAI_BASE_URL, or -o url= of cvr embed, says"):
        encoder(words, "url=http://127.0.0.1:9/v1", "first_wait_s=0.01")
