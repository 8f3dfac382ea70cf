"""fetch: resumed where it stopped, whole or absent, and honest about what went wrong."""

import hashlib
import threading

import pytest

from cvr_data.download.fetch import PARTIAL, FetchLimits, HttpFetcher, Speed, download_retry_after_s
from cvr_data.download.hub import items_at_one_commit
from cvr_data.download.items import WantedFile
from cvr_data.download.run import Config, download_items
from cvr_data.download.status import read_download_status
from tests.http_server import Reset, Status, Truncate

pytestmark = pytest.mark.slow

BODY = bytes(range(256)) * 2000  # 512,000 bytes
QUICK = Config(concurrency=4, attempts=3, timeout_s=20.0, backoff_s=0.01)


def item_of(server, path="/a.mp4", **fields):
    return WantedFile(item_id=path.strip("/"), url=server.url + path, file=path.strip("/"), **fields)


def only_row(folder):
    (row,) = read_download_status(folder)
    return row


@pytest.mark.parametrize("fault", [Reset(after=100_000), Truncate(after=100_000)])
def test_a_broken_body_is_resumed_where_it_stopped(server, tmp_path, fault):
    server.put("/a.mp4", BODY, faults=[fault])
    download_items([item_of(server)], tmp_path, QUICK)
    assert (tmp_path / "a.mp4").read_bytes() == BODY
    first, second = server.ranges("/a.mp4")
    assert first is None
    assert second is not None
    assert 0 < int(second.removeprefix("bytes=").rstrip("-")) <= 100_000
    row = only_row(tmp_path)
    assert (row.status, row.bytes, row.attempts) == ("ok", len(BODY), 2)
    assert row.sha256 == hashlib.sha256(BODY).hexdigest()


@pytest.mark.parametrize("settings", [{"has_ranges": False}, {"has_etag": False}])
def test_without_ranges_or_a_validator_it_starts_again(server, tmp_path, settings):
    server.put("/a.mp4", BODY, faults=[Truncate(after=300_000)], **settings)
    download_items([item_of(server)], tmp_path, QUICK)
    assert (tmp_path / "a.mp4").read_bytes() == BODY


def test_a_wrong_range_is_noticed(server, tmp_path):
    server.put("/a.mp4", BODY, faults=[Truncate(after=300_000)], range_shift=1000)
    download_items([item_of(server)], tmp_path, QUICK)
    assert (tmp_path / "a.mp4").read_bytes() == BODY
    assert len(server.ranges("/a.mp4")) == 3


def test_a_file_that_changed_in_between_is_not_mixed_with_the_old_one(server, tmp_path):
    server.put("/a.mp4", BODY, faults=[Truncate(after=300_000)])
    download_items([item_of(server)], tmp_path, Config(attempts=1))
    assert not (tmp_path / "a.mp4").exists()
    server.put("/a.mp4", BODY[::-1])
    download_items([item_of(server)], tmp_path, QUICK)
    assert server.ranges("/a.mp4") == [None, f"bytes={300_000}-"]
    assert (tmp_path / "a.mp4").read_bytes() == BODY[::-1]


@pytest.mark.parametrize("code", [403, 404, 410, 451])
def test_a_refusal_is_final_and_asked_once(server, tmp_path, code):
    server.put("/a.mp4", BODY, faults=[Status(code)])
    outcome = download_items([item_of(server)], tmp_path, QUICK)
    assert outcome.statuses == {"failed": 1}
    assert only_row(tmp_path).http_status == code
    assert f"HTTP {code}" in only_row(tmp_path).error
    assert len(server.log) == 1


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_busy_server_is_asked_again(server, tmp_path, code):
    server.put("/a.mp4", BODY, faults=[Status(code), Status(code)])
    download_items([item_of(server)], tmp_path, QUICK)
    assert only_row(tmp_path).attempts == 3
    assert (tmp_path / "a.mp4").read_bytes() == BODY


def test_after_the_last_attempt_it_is_retriable_and_a_later_run_goes_on(server, tmp_path):
    server.put("/a.mp4", BODY, faults=[Status(503)] * 3)
    assert download_items([item_of(server)], tmp_path, QUICK).statuses == {"retriable": 1}
    assert only_row(tmp_path).error.startswith("HTTP 503")
    assert download_items([item_of(server)], tmp_path, QUICK).statuses == {"ok": 1}


@pytest.mark.slow
def test_retry_after_holds_back_every_thread(server, tmp_path):
    server.put("/a.mp4", BODY, faults=[Status(429, {"Retry-After": "1"})])
    for name in "bcdef":
        server.put(f"/{name}.mp4", b"x" * 4096, pause_s=0.05)
    items = [item_of(server, f"/{name}.mp4") for name in "abcdef"]
    outcome = download_items(items, tmp_path, Config(concurrency=1, backoff_s=0.01))
    assert outcome.statuses == {"ok": 6}
    times = [when for when, _, _ in server.log]
    assert times[1] - times[0] >= 1.0


def test_a_wait_of_hours_is_not_waited_for(server, tmp_path):
    server.put("/a.mp4", BODY, faults=[Status(429, {"Retry-After": "7200"})])
    outcome = download_items([item_of(server)], tmp_path, QUICK)
    assert outcome.statuses == {"retriable": 1}
    assert outcome.seconds < 600  # of 7200


@pytest.mark.parametrize(("text", "seconds"), [("7", 7.0), (None, None), ("", None), ("soon", None), ("\u00b2", None),
                                              ("9" * 400, None), ("Wed, 21 Oct 99999 07:28:00 GMT", None)])  # fmt: skip
def test_retry_after_is_seconds(text, seconds):
    assert download_retry_after_s(text) == seconds


def test_retry_after_may_be_a_date():
    assert download_retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert download_retry_after_s("Wed, 21 Oct 2099 07:28:00 GMT") > 1e9


def test_another_sha256_is_refused_and_nothing_is_left(server, tmp_path):
    server.put("/a.mp4", BODY)
    download_items([item_of(server, sha256="0" * 64)], tmp_path, QUICK)
    row = only_row(tmp_path)
    assert row.status == "failed"
    assert f"its sha256 is {hashlib.sha256(BODY).hexdigest()}, not {'0' * 64}" == row.error
    assert not (tmp_path / "a.mp4").exists()
    assert not list((tmp_path / PARTIAL).iterdir())


def test_a_web_page_is_no_medium(server, tmp_path):
    server.put("/a.mp4", b"<html>gone</html>", kind="text/html; charset=utf-8")
    download_items([item_of(server, is_media=True)], tmp_path, QUICK)
    assert only_row(tmp_path).error == "a web page, not a medium"
    assert not (tmp_path / "a.mp4").exists()


def test_an_empty_body_is_a_failure(server, tmp_path):
    server.put("/a.mp4", b"")
    download_items([item_of(server)], tmp_path, QUICK)
    assert only_row(tmp_path).error == "the body is empty"


def test_a_body_over_the_limit_is_not_taken(server, tmp_path):
    server.put("/a.mp4", BODY)
    fetcher = HttpFetcher(tmp_path, FetchLimits(timeout_s=2, max_bytes=1000), threading.Event())
    answer = fetcher.attempt(item_of(server))
    assert answer.is_final
    assert "more than --max-bytes" in answer.error


def test_a_silent_server_is_left_after_the_timeout(server, tmp_path):
    server.put("/a.mp4", b"x" * 8192, pause_s=3)
    outcome = download_items([item_of(server)], tmp_path, Config(attempts=1, timeout_s=0.3))
    assert outcome.statuses == {"retriable": 1}


def test_no_server_is_retriable(tmp_path):
    item = WantedFile(item_id="a", url="http://127.0.0.1:9/a.mp4", file="a.mp4")
    assert download_items([item], tmp_path, QUICK).statuses == {"retriable": 1}
    assert "refused" in only_row(tmp_path).error


@pytest.mark.parametrize(
    "url",
    ["http://[::1/x.mp4", f"http://{'a' * 70}.org/x.mp4", "http://h:99999/x", "http://a b/x.mp4", "http://h:x/", "hf://x",
     "hf://datasets/../..@x/y.mp4", "http://\0/x.mp4", "https://", "http://%zz/x"],
)  # fmt: skip
def test_a_hostile_address_is_a_row_and_the_rest_is_fetched(server, tmp_path, url):
    server.put("/a.mp4", BODY)
    items = [WantedFile(item_id="bad", url=url, file="bad.mp4"), item_of(server)]
    for statuses in ({"failed": 1, "ok": 1}, {"failed": 1, "ok": 1}):  # also on a rerun
        assert download_items(items_at_one_commit(items, tmp_path), tmp_path, QUICK).statuses == statuses
    assert {row.item_id: row.status for row in read_download_status(tmp_path)} == {"bad": "failed", "a.mp4": "ok"}


@pytest.mark.parametrize(
    "headers", [{"Retry-After": "\u00b2"}, {"Retry-After": "9" * 400}, {"Retry-After": "Wed, 99 Oct 2015 99:99:99 GMT"}]
)
def test_a_hostile_wait_is_no_wait(server, tmp_path, headers):
    server.put("/a.mp4", BODY, faults=[Status(503, headers)])
    assert download_items([item_of(server)], tmp_path, QUICK).statuses == {"ok": 1}


def test_a_length_of_five_thousand_digits_is_a_row(server, tmp_path):
    server.put("/a.mp4", BODY, faults=[Status(200, {"Content-Length": "9" * 5000})] * 3)
    assert sum(download_items([item_of(server)], tmp_path, QUICK).statuses.values()) == 1
    assert only_row(tmp_path).status != "ok"


@pytest.mark.parametrize("kind", ["video/mp4", "application/octet-stream"])
def test_a_web_page_in_the_place_of_a_medium_is_refused_by_its_content(server, tmp_path, kind):
    server.put("/a.mp4", b"<!DOCTYPE html><title>Sign in</title>", kind=kind)
    assert download_items([item_of(server, is_media=True)], tmp_path, QUICK).statuses == {"failed": 1}
    assert only_row(tmp_path).error == "a web page, not a medium"
    assert len(server.log) == 1 and not (tmp_path / "a.mp4").exists()


def test_all_files_together_have_a_limit_and_a_later_run_goes_on(server, tmp_path):
    items = []
    for name in "abcd":
        server.put(f"/{name}.mp4", BODY)
        items.append(item_of(server, f"/{name}.mp4"))
    limited = Config(concurrency=1, attempts=1, max_total_bytes=2 * len(BODY))
    outcome = download_items(items, tmp_path, limited)
    assert outcome.statuses == {"ok": 2, "retriable": 2}
    assert any("--max-total-bytes" in error for _, error in outcome.errors)
    assert download_items(items, tmp_path, QUICK).statuses == {"ok": 4}


def test_a_body_below_the_least_speed_is_left(monkeypatch):
    clock = iter([0.0, 59.0, 61.0, 61.0, 125.0, 125.0])
    monkeypatch.setattr("cvr_data.download.fetch.time.monotonic", lambda: next(clock))
    speed = Speed(100)
    assert [speed.is_slow(count) for count in (1000, 1000, 9000)] == [False, True, False]
