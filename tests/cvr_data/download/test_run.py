"""run: many files, some of them lost, and a kill in the middle."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cvr_data.download.fetch import PARTIAL
from cvr_data.download.items import WantedFile
from cvr_data.download.run import Config, download_items
from cvr_data.download.status import FOLDER, StatusRow, StatusTable, read_download_status
from tests.http_server import Reset, Status, Truncate

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
HEARS_CTRL_C = "import signal, cli; signal.signal(signal.SIGINT, signal.default_int_handler); cli.main()"
"""A job in the background of a shell inherits a deaf ear for SIGINT."""
QUICK = Config(concurrency=4, attempts=3, timeout_s=20.0, backoff_s=0.01)


def items_of(server, names):
    return [WantedFile(item_id=name, url=f"{server.url}/{name}", file=f"{name}.mp4", is_media=True) for name in names]


def test_every_item_has_its_status_and_a_rerun_asks_only_for_what_may_come(server, tmp_path):
    for name in "abcdefgh":
        server.put(f"/{name}", name.encode() * 5000)
    server.pages["/b"].faults = [Status(404)]
    server.pages["/c"].faults = [Status(503)] * 3
    server.pages["/d"].faults = [Reset(after=100), Truncate(after=2000)]
    server.pages["/e"].faults = [Status(403)]
    items = items_of(server, "abcdefgh")
    outcome = download_items(items, tmp_path, QUICK)
    assert outcome.statuses == {"ok": 5, "failed": 2, "retriable": 1}
    assert outcome.errors == {
        ("failed", "HTTP 404 Not Found"): 1,
        ("failed", "HTTP 403 Forbidden"): 1,
        ("retriable", "HTTP 503 Service Unavailable"): 1,
    }

    server.log.clear()
    again = download_items(items, tmp_path, QUICK)
    assert server.asked() == ["/c"]
    assert (again.here_before, again.left_alone, again.asked) == (5, 2, 1)
    assert again.statuses == {"ok": 6, "failed": 2}

    server.log.clear()
    last = download_items(items, tmp_path, replace(QUICK, retry_failed=True))
    assert sorted(server.asked()) == ["/b", "/e"]
    assert last.statuses == {"ok": 8}
    assert all((tmp_path / f"{name}.mp4").read_bytes() == name.encode() * 5000 for name in "abcdefgh")

    server.log.clear()
    assert download_items(items, tmp_path, QUICK).here_before == 8
    assert server.log == []


def test_a_file_whose_address_changed_is_asked_for_again(server, tmp_path):
    server.put("/new", b"now")
    (item,) = items_of(server, ["a"])
    assert download_items([item], tmp_path, QUICK).statuses == {"failed": 1}
    assert download_items([replace(item, url=f"{server.url}/new")], tmp_path, QUICK).statuses == {"ok": 1}


def test_no_more_files_at_once_than_allowed(server, tmp_path):
    names = [str(number) for number in range(12)]
    for name in names:
        server.put(f"/{name}", b"x" * 8192, pause_s=0.02)
    download_items(items_of(server, names), tmp_path, replace(QUICK, concurrency=3))
    assert server.most_active == 3


def test_a_file_of_the_users_own_is_taken_if_it_is_the_published_one(server, tmp_path):
    sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # of b"hello"
    item = WantedFile(item_id="a", url=f"{server.url}/a", file="a.csv", sha256=sha256)
    (tmp_path / "a.csv").write_bytes(b"hello")
    assert download_items([item], tmp_path, QUICK).statuses == {"ok": 1}
    assert server.log == []


def test_a_file_of_the_users_own_is_never_replaced(server, tmp_path):
    server.put("/a", b"hello")
    item = WantedFile(item_id="a", url=f"{server.url}/a", file="a.csv", sha256="0" * 64)
    (tmp_path / "a.csv").write_bytes(b"mine")
    for _ in range(2):
        outcome = download_items([item], tmp_path, QUICK)
        assert outcome.statuses == {"failed": 1}
        assert "another sha256 than is published; remove it" in next(iter(outcome.errors))[1]
    assert (tmp_path / "a.csv").read_bytes() == b"mine"


def test_two_runs_at_once_share_the_work(server, tmp_path):
    names = [str(number) for number in range(8)]
    for name in names:
        server.put(f"/{name}", name.encode() * 200_000, pause_s=0.002)
    patient = replace(QUICK, attempts=500, concurrency=2)
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda _: download_items(items_of(server, names), tmp_path, patient), range(2)))
    assert [outcome.statuses for outcome in outcomes] == [{"ok": 8}, {"ok": 8}]
    assert sorted(server.asked()) == [f"/{name}" for name in names]
    assert all((tmp_path / f"{name}.mp4").read_bytes() == name.encode() * 200_000 for name in names)


def test_a_name_that_is_taken_by_a_folder_fails_alone(server, tmp_path):
    server.put("/a", b"1")
    server.put("/b", b"2")
    (tmp_path / "a.mp4").mkdir(parents=True)
    outcome = download_items(items_of(server, "ab"), tmp_path, QUICK)
    assert outcome.statuses == {"ok": 1, "failed": 1}


def test_the_last_row_of_an_item_counts_and_small_files_are_merged(tmp_path):
    for number in range(20):
        table = StatusTable(tmp_path)
        table.add(StatusRow(item_id=f"i{number % 3}", url="u", file="f", status="failed", finished_s=number))
        table.flush()
    assert len(list((tmp_path / FOLDER).glob("*.parquet"))) < 10
    assert {row.item_id: row.finished_s for row in read_download_status(tmp_path)} == {"i0": 18, "i1": 19, "i2": 17}


def test_the_last_row_counts_whichever_shard_wrote_it(tmp_path):
    for shard, (state, when) in enumerate([("ok", 2.0), ("retriable", 1.0)]):
        table = StatusTable(tmp_path, num_shards=2, shard_id=shard)
        table.add(StatusRow(item_id="a", url="u", file="f", status=state, finished_s=when))
        table.flush()
    assert [row.status for row in read_download_status(tmp_path)] == ["ok"]


def test_shards_write_status_files_of_their_own(server, tmp_path):
    for name in "abcd":
        server.put(f"/{name}", b"x")
    items = items_of(server, "abcd")
    for shard in (0, 1):
        download_items(items[shard::2], tmp_path, QUICK, num_shards=2, shard_id=shard)
    names = sorted(path.name[:21] for path in (tmp_path / FOLDER).iterdir())
    assert names == ["status-00000-of-00002", "status-00001-of-00002"]
    assert Counter(row.status for row in read_download_status(tmp_path)) == {"ok": 4}


def is_in_the_middle(folder):
    """Whether some files are whole and another one has begun."""
    begun = []
    for path in (folder / PARTIAL).glob("*.part"):
        with contextlib.suppress(FileNotFoundError):  # it became whole since it was listed
            begun.append(path.stat().st_size)
    return len(list(folder.glob("*.mp4"))) >= 6 and max(begun, default=0) >= 1 << 16


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
@pytest.mark.slow
def test_after_a_kill_in_the_middle_a_rerun_asks_only_for_the_rest(server, tmp_path, stop, code):
    names = [f"v{number:02d}" for number in range(24)]
    for name in names:
        server.put(f"/{name}.mp4", name.encode() * 80_000, pause_s=0.01)
    lines = "".join(f"{name},{server.url}/{name}.mp4\n" for name in names)
    (tmp_path / "urls.csv").write_text("id,url\n" + lines)
    command = [sys.executable, "-c", HEARS_CTRL_C, "download", "videos", "mine", "--concurrency", "3"]
    command += ["--urls", str(tmp_path / "urls.csv"), "--out", str(tmp_path / "mine")]
    folder = tmp_path / "mine" / "videos"
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 60
    while not is_in_the_middle(folder) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(running.pid, stop)
    printed, _ = running.communicate(timeout=60)
    assert running.returncode == code, printed
    time.sleep(0.3)  # the server still writes what its sockets hold
    here = {path.stem for path in folder.glob("*.mp4")}
    assert 6 <= len(here) < len(names)

    server.log.clear()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    asked = [path.strip("/").removesuffix(".mp4") for path in server.asked()]
    assert sorted(asked) == sorted(set(names) - here)
    assert any(found for found in (server.ranges(f"/{name}.mp4")[0] for name in asked)), "nothing was resumed"
    assert f"24 wanted, {len(here)} here before, {24 - len(here)} asked for" in done.stdout
    assert all((folder / f"{name}.mp4").read_bytes() == name.encode() * 80_000 for name in names)
    rows = pq.read_table(folder / FOLDER).to_pylist()
    assert Counter(row["status"] for row in rows) == {"ok": 24}
