"""openai: a server that fails in every way; no row is lost, none is asked for twice, and the key is seen by nobody."""

import dataclasses
import json
import logging
import math
import sqlite3
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.modifications.asking.request import Change, Message, Parameters, Request
from cvr_data.modifications.backends.openai import Config, load, model_name
from tests.ball_pairs import write_ball_pairs
from tests.llm_server import Fault, LLMServer

pytestmark = pytest.mark.slow

KEY = "sk-neverShownAnywhere42"
SCHEMA = json.dumps(
    {"type": "object", "properties": {"modification": {"type": "string"}}, "required": ["modification"]}
)


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def requests(count=6, **changed):
    change = Change(kind="static", slot="object", before="red", after="blue")
    return [
        Request(
            pair_id=str(number), style="short", change=change, lead="Edit:",
            messages=(Message("system", "be short"), Message("user", f"Video: number {number}\nshow colour{number}.")),
            **changed,
        )
        for number in range(count)
    ]  # fmt: skip


def write(server, asked, **options):
    config = Config(
        **{"model": "tiny", "base_url": server.url, "retries": 4, "timeout_s": 60.0, "first_wait_s": 0.01, **options}
    )
    answers = list(load(config).write(asked))
    assert sorted(number for number, _ in answers) == list(range(len(asked)))
    return [answer for _, answer in sorted(answers)]


def texts(count=6):
    return [f"make the ball colour{number}" for number in range(count)]


FAULTS = {
    "429 with Retry-After": [Fault(status=429, headers={"Retry-After": "0.05"})],
    "429 with a date": [Fault(status=429, headers={"Retry-After": format_datetime(datetime.now(UTC) - timedelta(1))})],
    "503 thrice": [Fault(status=503)] * 3,
    "a page of a proxy": [Fault(status=502, body="<html>bad gateway</html>")],
    "a timeout": [Fault(pause_s=4.0)],
    "a reset": [Fault(reset=True)],
    "malformed JSON": [Fault(body='{"choices": [')],
    "JSON of another form": [Fault(body="[1]"), Fault(body="{}"), Fault(body='{"choices": []}')],
    "a truncated body": [Fault(truncate=True)],
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_what_passes_is_tried_again(faults):
    with LLMServer(faults={"number 2": list(faults)}) as server:
        answers = write(server, requests(), timeout_s=2.0 if faults[0].pause_s else 60.0)
    assert [answer.text for answer in answers] == texts()
    assert server.asked["number 2"] == len(faults) + 1
    assert all(server.asked[f"number {number}"] == 1 for number in (0, 1, 3, 4, 5))
    assert (answers[0].tokens_in, answers[0].tokens_out) == (9, 5)


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        ([Fault(status=400, body='{"error": {"message": "top_k is unknown"}}')], "400 top_k is unknown"),
        ([Fault(status=404, body='{"message": "no such model"}')], "404 no such model"),
        ([Fault(status=429, body='{"error": {"code": "insufficient_quota", "message": "pay"}}')], "429 pay"),
        ([Fault(status=503)] * 9, "503"),
        ([Fault(body="no JSON")] * 9, "the server's answer is no JSON (5 tries)"),
        ([Fault(body=json.dumps({"choices": [{"message": {"content": None}, "finish_reason": "content_filter"}]}))],
         "the model gave no text (content_filter)"),
    ],
)  # fmt: skip
def test_what_does_not_pass_is_an_error_row_among_good_ones(faults, reason):
    with LLMServer(faults={"number 2": list(faults)}) as server:
        answers = write(server, requests(), concurrency=2)
    assert answers[2].text is None and answers[2].error.startswith(reason)
    assert [answer.text for number, answer in enumerate(answers) if number != 2] == texts()[:2] + texts()[3:]


def test_retry_after_holds_back_every_request():
    faults = {"number 0": [Fault(status=429, headers={"Retry-After": "0.6"})]}
    with LLMServer(faults=faults, pause_s=0.05) as server:
        write(server, requests(), concurrency=2)
    soon = [moment for moment in server.times if moment - server.times[0] < 0.55]
    assert len(soon) <= 3 and len(server.times) == 7  # what the other connection was at goes on


def test_no_more_requests_are_under_way_than_allowed():
    with LLMServer(pause_s=0.02) as server:
        assert [answer.text for answer in write(server, requests(30), concurrency=4)] == texts(30)
    assert 2 <= server.most_active <= 4


@pytest.mark.parametrize("limit", [{"requests_per_minute": 1200}, {"tokens_per_minute": 1200 * 34}])
def test_limits_per_minute_spread_the_requests(limit):
    with LLMServer() as server:
        write(server, requests(8), **limit)
    assert server.times[-1] - server.times[0] >= 7 * 0.05 * 0.95


def test_a_server_that_stops_for_good_costs_one_round_of_tries():
    with LLMServer() as server:
        backend = load(Config(model="tiny", base_url=server.url, retries=2, concurrency=2, first_wait_s=0.01))
        assert len(list(backend.write(requests(2)))) == 2
        server.stop()
        answers = dict(backend.write(requests(300)))
        assert len(answers) == 300 and all(answer.text is None for answer in answers.values())
        assert Counter(answer.error for answer in answers.values())["the server stopped answering"] >= 290
        with pytest.raises(CvrError, match=r"No server answers at .*; -o base_url= says where it is"):
            list(backend.write(requests(1)))
        server.start()
        assert len(list(backend.write(requests(2)))) == 2


def test_no_server_and_a_refused_key_are_told_before_anything_is_asked(monkeypatch):
    with (
        LLMServer(key="another") as server,
        pytest.raises(CvrError, match=r"refuses the key of \$OPENAI_API_KEY") as told,
    ):
        write(server, requests())
    assert KEY not in str(told.value) and not server.bodies
    monkeypatch.delenv("OPENAI_API_KEY")
    with LLMServer(key="another") as server, pytest.raises(CvrError, match="a request without a key; set"):
        write(server, requests())


def test_what_is_sent_is_what_the_request_says():
    sampled = Parameters(max_tokens=7, temperature=0.8, top_k=200, seed=3)
    image = b"\xff\xd8jpeg"
    asked = requests(1, parameters=sampled, schema=SCHEMA, images=(image,))
    with LLMServer() as server:
        write(server, asked, extra='{"top_p": 0.9}')
        write(server, requests(1), form="completion", send_top_k=False, length_field="max_completion_tokens")
    chat, completion = server.bodies
    expected = {"model": "tiny", "max_tokens": 7, "temperature": 0.8, "top_k": 200, "seed": 3, "top_p": 0.9}
    assert expected.items() <= chat.items()
    assert chat["response_format"]["json_schema"]["schema"] == json.loads(SCHEMA)
    assert chat["messages"][0] == {"role": "system", "content": "be short"}
    shown, text = chat["messages"][1]["content"]
    assert shown["image_url"]["url"] == "data:image/jpeg;base64,/9hqcGVn" and text["text"].startswith("Video:")
    assert completion["prompt"].endswith("show colour0.\nEdit:") and completion["stop"] == ["\n"]
    assert completion["max_completion_tokens"] == 24 and "seed" not in completion


def test_images_need_a_chat_model():
    with LLMServer() as server:
        answers = write(server, requests(2, images=(b"jpeg",)), form="completion")
    assert [answer.error for answer in answers] == ["images need a chat model: -o form=chat"] * 2


def test_leaving_early_asks_no_more():
    before = threading.active_count()
    with LLMServer(pause_s=0.2) as server:
        stream = load(Config(model="tiny", base_url=server.url, concurrency=2)).write(requests(50))
        next(stream)
        stream.close()
        asked = len(server.bodies)
        time.sleep(0.5)
        assert len(server.bodies) <= asked + 2 < 10  # two were on their way
    assert threading.active_count() < before + 20  # not one a request


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "localhost:8000"}, "https://host/v1"),
        ({"base_url": f"http://user:{KEY}@host/v1"}, "must hold no password"),
        ({"extra": "[]"}, "extra should be a JSON object"),
        ({"concurrency": 0}, "concurrency must be at least 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message) as told:
        Config(model="tiny", **options)
    assert KEY not in str(told.value)


def test_the_name_tells_what_changes_the_answers():
    config = Config(model="tiny")
    assert model_name(config) == "tiny"
    assert model_name(dataclasses.replace(config, concurrency=3, base_url="http://other/v1")) == "tiny"
    named = dataclasses.replace(config, form="completion", guided="none", extra='{"top_p": 0.9}')
    assert model_name(named) == 'tiny completion none {"top_p": 0.9}'


def restart_after(server, asked):
    while len(server.bodies) < asked:
        time.sleep(0.005)
    server.stop()
    time.sleep(0.3)
    server.start()


def test_a_run_with_failures_and_a_restart_accounts_for_every_row(cvr, tmp_path, caplog):
    """Of 300 requests 1 % fail for good, 1 % now and then, 1 % are malformed; the server restarts in the middle."""
    caplog.set_level(logging.DEBUG)
    pairs = write_ball_pairs(tmp_path / "pairs", 300)
    passing, malformed, wrong = [Fault(status=503), Fault(reset=True)], [Fault(body="{")], [Fault(status=400)]
    faults = {f"ball {n} ": list(kind) for n, kind in
              [(5, passing), (105, passing), (205, passing), (7, malformed), (107, malformed), (207, malformed),
               (9, wrong), (109, wrong), (209, wrong * 2)]}  # fmt: skip
    with LLMServer(faults=faults, pause_s=0.01, key=KEY) as server:
        restart = threading.Thread(target=restart_after, args=(server, 100))
        restart.start()
        words = ("generate-modifications", pairs, "--llm", "openai", "-o", "model=tiny", "-o", f"base_url={server.url}",
                 "-o", "concurrency=8", "-o", "first_wait_s=0.05",
                 "-O", tmp_path / "mods", "--cache", tmp_path / "cache.sqlite")  # fmt: skip
        outcome = cvr(*words)
        restart.join()
        assert outcome.code == 0, outcome.err
        artifact = open_artifact(tmp_path / "mods")
        rows = artifact.read().to_pylist()
        again = cvr(*words)
    assert [row["pair_id"] for row in rows] == open_artifact(pairs).read().column("pair_id").to_pylist()
    assert set(Counter(row["status"] for row in rows)) <= {"ok", "rejected", "error"}
    assert all(row["reasons"] for row in rows if row["status"] != "ok")
    failed = [row["reasons"] for row in rows if row["status"] == "error"]
    assert all(reason == ["400"] for reason in failed) and len(failed) <= 3
    assert Counter(row["status"] for row in rows)["ok"] >= 290
    assert again.code == 0 and open_artifact(tmp_path / "mods").manifest["status"].get("error", 0) == 0
    assert server.most_active <= 8 + 8  # those of before the restart may still be counted
    with sqlite3.connect(tmp_path / "cache.sqlite") as cache:
        assert cache.execute("SELECT count(*) FROM answers").fetchone()[0] >= 300
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    everything = [outcome.out, outcome.err, again.out, again.err, caplog.text, repr(written)]
    assert not any(KEY in text for text in everything)


@pytest.mark.parametrize("form", ["chat", "completion"])
def test_log_probabilities_of_choices_are_asked_for_and_added_up(form):
    from cvr_data.modifications.asking.choices import answer_log_odds

    asked = requests(3, choices=("yes", "no"))
    likely = {"Yes": -0.5, " yes": -1.5, "No": -2.0, "Perhaps": -4.0}
    with LLMServer(logprobs=lambda prompt: likely if "number 2" not in prompt else {"<think>": -0.01}) as server:
        answers = write(server, asked, form=form)
    expected = math.log(math.exp(-0.5) + math.exp(-1.5)) + 2.0
    assert [answer_log_odds(answer.text, ("yes", "no")) for answer in answers] == [
        pytest.approx(expected, abs=1e-5), pytest.approx(expected, abs=1e-5), None
    ]  # fmt: skip
    assert "none of the words" in answers[2].error
    wanted = {"logprobs": True, "top_logprobs": 20} if form == "chat" else {"logprobs": 20}
    assert all(wanted.items() <= body.items() and body["max_tokens"] == 1 for body in server.bodies)


def test_a_server_without_log_probabilities_is_told_of():
    with LLMServer() as server:
        [answer] = write(server, requests(1, choices=("yes", "no")))
    assert answer.text is None and answer.error == "the server tells no log-probabilities"
