"""push: kills, resets and refusals leave the revision as it was, and the next run sends only what is missing."""

import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cvr_data.core.errors import CvrError
from cvr_data.publish.push import Config, Target, push_publication
from tests.hub_server import TOKEN, Fault, HubServer

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),  # of huggingface_hub
]

ROOT = Path(__file__).resolve().parents[3]
TARGET = Target("user/set", owned=("data/", "videos/"))
SMALL = Config(chunk_files=3, chunk_bytes=3000, attempts=3, wait_s=0.01)
PUSH = f"""
import sys
from pathlib import Path
from huggingface_hub import HfApi
from cvr_data.publish.push import Config, Target, push_publication
folder = Path(sys.argv[1])
files = {{path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}}
target, api = Target("user/set", owned=("data/", "videos/")), HfApi(endpoint=sys.argv[2], token="{TOKEN}")
push_publication(files, target, {SMALL!r}, api)
"""


def write_files(folder, version, count=8):
    """Write some small and some large files; half of the videos are alike in every version."""
    random_bytes = random.Random(1000 + version).randbytes
    for name in ("README.md", "statistics.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name} {version}")
    (folder / "videos").mkdir()
    for number in range(count):
        same = number % 2 == 0
        content = random.Random(number).randbytes(900) if same else random_bytes(900)
        (folder / "videos" / f"{number}.mp4").write_bytes(content)
    (folder / "videos" / f"only-{version}.mp4").write_bytes(random_bytes(50))
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def contents(files):
    return {name: path.read_bytes() for name, path in files.items()}


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    with HubServer() as server:
        yield server


@pytest.fixture
def api(hub, monkeypatch):
    """The real client; its own waits between tries are cut short."""
    import huggingface_hub
    from huggingface_hub import constants
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return huggingface_hub.HfApi(endpoint=hub.url, token=TOKEN)


@pytest.fixture
def first(hub, api, tmp_path):
    """A repository with a first version published."""
    files = write_files(tmp_path / "first", 1)
    push_publication(files, TARGET, SMALL, api)
    return contents(files)


def test_chunks_gather_on_a_branch_and_one_commit_publishes(hub, api, tmp_path):
    files = write_files(tmp_path / "first", 1)
    pushed = push_publication(files, TARGET, SMALL, api)
    assert hub.files("user/set") == contents(files)
    assert [title for _, _, title in hub.repos["user/set"].commits] == [
        "initial commit",
        "Publish the dataset with cvr",
    ]
    assert list(hub.repos["user/set"].branches) == ["main"]
    assert (pushed.files, pushed.sent, pushed.removed) == (len(files), len(files), 0)
    assert sum(path.endswith("/commit/cvr-upload-main") for _, path in hub.requests) == 4


def test_a_second_version_sends_only_what_changed_and_removes_what_is_gone(hub, api, first, tmp_path):
    hub.uploads.clear()
    files = write_files(tmp_path / "second", 2)
    pushed = push_publication(files, TARGET, SMALL, api)
    assert hub.files("user/set") == contents(files)
    assert (pushed.sent, pushed.removed) == (7, 1)
    assert len(hub.uploads) == 5  # four videos and one that is new; README and statistics are no large files


def test_pushing_the_same_again_makes_no_commit(hub, api, first, tmp_path):
    pushed = push_publication(write_files(tmp_path / "again", 1), TARGET, SMALL, api)
    assert not pushed.is_new
    assert len(hub.repos["user/set"].commits) == 2


def test_a_kill_at_any_request_leaves_the_revision_and_the_next_run_goes_on(hub, api, first, tmp_path):
    files = write_files(tmp_path / "second", 2)
    blobs, before = dict(hub.blobs), len(hub.requests)
    push_publication(files, TARGET, SMALL, api)
    requests = len(hub.requests) - before
    for point in random.Random(0).sample(range(requests), 4):
        del hub.repos["user/set"].commits[2:]
        hub.blobs = dict(blobs)
        kill_at(point, hub, tmp_path / "second")
        if len(hub.repos["user/set"].commits) == 2:
            assert hub.files("user/set") == first
        stored = set(hub.blobs)
        hub.uploads.clear()
        push_publication(files, TARGET, SMALL, api)
        assert hub.files("user/set") == contents(files)
        assert list(hub.repos["user/set"].branches) == ["main"]
        assert not stored & set(hub.uploads)


def kill_at(point, hub, folder):
    """Push the folder from another process, and kill that at the request of this number."""
    command = [sys.executable, "-c", PUSH, str(folder), hub.url]
    last = len(hub.requests) + point
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "HF_TOKEN": ""}, stderr=subprocess.DEVNULL) as process:
        hub.watch = lambda number: process.send_signal(signal.SIGKILL) if number == last else None
        assert process.wait(60) == -signal.SIGKILL
    hub.watch = None


def test_what_arrived_on_the_branch_is_not_sent_again(hub, api, first, tmp_path):
    files = write_files(tmp_path / "second", 2, count=20)
    once = Config(chunk_files=3, chunk_bytes=3000, attempts=1, wait_s=0.01)
    committed = iter(range(100))
    before = len(hub.requests)

    def refuse_third_chunk(number):
        method, path = hub.requests[number]
        if (method, path.endswith("/commit/cvr-upload-main")) == ("POST", True) and next(committed) == 2:
            hub.faults[number] = Fault("status", 503)

    hub.watch = refuse_third_chunk
    with pytest.raises(CvrError, match=r"answered 503.*main is as it was, 13 files are missing; run again to go on"):
        push_publication(files, TARGET, once, api)
    assert hub.files("user/set") == first
    asked = sum(path.endswith("/preupload/cvr-upload-main") for _, path in hub.requests[before:])
    assert asked == 3
    hub.watch, before = None, len(hub.requests)
    push_publication(files, TARGET, once, api)
    assert sum(path.endswith("/preupload/cvr-upload-main") for _, path in hub.requests[before:]) == 5
    assert hub.files("user/set") == contents(files)


@pytest.mark.parametrize("seed", range(3))
def test_resets_and_errors_on_the_way_are_tried_again(hub, api, first, tmp_path, seed, monkeypatch):
    from huggingface_hub.utils import _http

    monkeypatch.setattr(_http.time, "sleep", lambda _: None)
    files = write_files(tmp_path / "second", 2)
    draw = random.Random(seed)
    kinds = [Fault("reset"), Fault("lost"), Fault("status", 500), Fault("status", 429, {"Retry-After": "0"})]
    start = len(hub.requests)
    hub.faults = {start + at: draw.choice(kinds) for at in draw.sample(range(1, 40), 9)}
    push_publication(files, TARGET, Config(chunk_files=3, chunk_bytes=3000, attempts=9, wait_s=0.01), api)
    assert hub.files("user/set") == contents(files)
    assert list(hub.repos["user/set"].branches) == ["main"]
    assert len(hub.repos["user/set"].commits) == 3


def test_a_lost_answer_of_the_one_commit_is_no_second_commit(hub, api, first, tmp_path):
    def lose(number):
        if hub.requests[number] == ("POST", "/api/datasets/user/set/commit/main"):
            hub.faults[number] = Fault("lost")

    hub.watch = lose
    pushed = push_publication(write_files(tmp_path / "second", 2), TARGET, SMALL, api)
    assert (pushed.sent, pushed.removed) == (7, 1)
    assert len(hub.repos["user/set"].commits) == 3


def test_a_truncated_upload_is_never_published(hub, api, first, tmp_path):
    files = write_files(tmp_path / "second", 2)
    published = set(hub.uploads)

    def spoil(number):
        if hub.requests[number][1].endswith("/commit/cvr-upload-main"):
            for sha in set(hub.uploads) - published:
                hub.blobs[sha] += b"x"  # a store that keeps other bytes than it was sent

    hub.watch = spoil
    with pytest.raises(CvrError, match=r"the Hub holds other bytes of videos/.*; main is as it was"):
        push_publication(files, TARGET, SMALL, api)
    assert hub.files("user/set") == first


def test_someone_who_publishes_meanwhile_is_not_overwritten(hub, api, first, tmp_path):
    def interfere(number):
        if hub.requests[number][1].endswith("/commit/main"):
            hub.repos["user/set"].commit({}, "by someone else")

    hub.watch = interfere
    with pytest.raises(CvrError, match=r"changed by someone else meanwhile \(412\)"):
        push_publication(write_files(tmp_path / "second", 2), TARGET, SMALL, api)
    assert hub.files("user/set") == {}


def test_another_revision_is_made_and_main_stays(hub, api, first, tmp_path):
    files = write_files(tmp_path / "second", 2)
    push_publication(files, Target("user/set", "v2", owned=TARGET.owned), SMALL, api)
    assert hub.files("user/set", "v2") == contents(files)
    assert hub.files("user/set") == first
    assert sorted(hub.repos["user/set"].branches) == ["main", "v2"]


@pytest.mark.parametrize("revision", ["a..b", "-x", "x.lock", "cvr-upload-main", "a b", ""])
def test_a_revision_that_cannot_be_a_branch_is_refused(api, revision):
    with pytest.raises(CvrError, match="--revision"):
        push_publication({}, Target("user/set", revision), SMALL, api)


def test_signatures_of_upload_addresses_are_not_shown():
    from cvr_data.publish.hub_answers import hub_upload_answer_text

    text = hub_upload_answer_text(
        OSError("403 for https://s3/x?X-Amz-Signature=secret'"), "http://hub", "user/name", "main"
    )
    assert not re.search("secret|Signature", text)
