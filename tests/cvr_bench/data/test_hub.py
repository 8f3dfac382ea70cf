"""--data user/name: a data set that was pushed to a loopback Hub is scored like the folder it came from."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cvr_bench.data.hub import choose_data_on_hub, is_hub_data_name
from cvr_data.core.errors import CvrError
from tests.benchmark_samples import SAMPLES
from tests.hub_server import HubServer, Repo

ROOT = Path(__file__).resolve().parents[3]


RUN = """
import cli, contextlib, io, json, sys
for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.run(words)
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
"""


def run_all(commands, environment):
    """Run some commands in one process whose Hub is the loopback one; (exit code, stdout, stderr) of each."""
    texts = json.dumps([[str(word) for word in words] for words in commands])
    done = subprocess.run(
        [sys.executable, "-c", RUN, texts],
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        cwd=environment["HF_HOME"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def hub(world, tmp_path):
    """A Hub that has the triplets of the tiny world as user/tiny, and a repository without triplets."""
    import pyarrow.parquet as pq

    from cvr_data.core.artifacts import open_artifact

    with HubServer() as server:
        table = open_artifact(world.triplets).read()
        files = {}
        for split in ("train", "val", "test"):
            rows = table.filter([name == split for name in table.column("split").to_pylist()])
            pq.write_table(rows, tmp_path / f"{split}.parquet")
            content = (tmp_path / f"{split}.parquet").read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            server.blobs[digest], files[f"data/{split}-00000-of-00001.parquet"] = content, digest
        server.repos["user/tiny"] = Repo()
        server.repos["user/tiny"].commit(files, "Publish")
        pq.write_table(rows.select(["reference_id"]), tmp_path / "other.parquet")
        content = (tmp_path / "other.parquet").read_bytes()
        server.blobs["other"] = content
        server.repos["user/other"] = Repo()
        server.repos["user/other"].commit({"data/test-00000-of-00001.parquet": "other"}, "Publish")
        yield server


@pytest.mark.engine
def test_a_data_set_on_the_hub_scores_as_its_folder_does(cvr, hub, world, tmp_path):
    words = ["bench", "--model", "sum", "-e", world.embeddings, "--json"]
    commit = hub.repos["user/tiny"].commits[-1][0]
    names = ("user/tiny", f"hf:user/tiny@{commit}", "user/nowhere", "hf:user/other")
    commands = [[*words, "--data", name, "--out", tmp_path / "hub"] for name in names]
    environment = {**hub.environment(tmp_path), "CVR_CACHE": str(tmp_path / "cache")}
    first, again, nowhere, other = run_all(commands, environment)
    local = json.loads(cvr(*words, "--data", world.triplets, "--out", tmp_path / "local").out)
    assert first[0] == 0, first
    found = json.loads(first[1])
    assert [entry["metrics"] for entry in found] == [entry["metrics"] for entry in local]
    assert found[0]["path"].endswith("sum-tiny")
    assert again[1] == first[1]
    assert sum("/resolve/" in path and path.endswith("train-00000-of-00001.parquet") for _, path in hub.requests) <= 2
    for failed, message in ((nowhere, "user/nowhere is no path here"), (other, "column 'triplet_id' is missing")):
        assert failed[0] == 2
        assert message in failed[2]
        assert len([line for line in failed[2].splitlines() if line.startswith("cvr: ")]) == 1


def test_a_path_is_no_name_of_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "annotations").mkdir()
    assert is_hub_data_name("user/name")
    assert is_hub_data_name("hf:annotations/tiny")
    assert not is_hub_data_name("annotations/tyni")
    assert not is_hub_data_name("name")
    assert not is_hub_data_name("/user/name")


def test_a_malformed_name_is_one_line(tmp_path):
    with pytest.raises(CvrError, match="should look like hf:user/name"):
        choose_data_on_hub("hf:name", tmp_path)


def test_without_the_hub_the_reason_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CvrError, match="user/name is no path here, and cannot be read from the Hub") as caught:
        choose_data_on_hub("user/name", tmp_path)
    assert "\n" not in str(caught.value)


def put_folder(server, name, folder):
    """Put the files of a folder in a repository of its own; return the commit."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        server.blobs[digest], files[path.relative_to(folder).as_posix()] = content, digest
    server.repos[name] = Repo()
    return server.repos[name].commit(files, "Publish")


@pytest.mark.engine
def test_a_retrieval_set_of_the_hub_is_imported_and_scored_by_its_name(cvr, tmp_path):
    """Its media come out of Parquet, the references are found by their bytes, and the folder gives the same score."""
    embed = ["embed", "videos", "--encoder", "hash", "-o", "frames=2", "-o", "dim=8", "--out", "features"]
    bench = ["bench", "--model", "sum", "-e", "features", "--json", "--out"]
    with HubServer() as server:
        commit = put_folder(server, "user/places", SAMPLES / "vt2v")
        name = f"user/places@{commit}"
        commands = [
            ["import", "vt2v", name, "--out", "videos"], embed,
            [*bench, "by-name", "--data", name], [*bench, "newest", "--data", "user/places"],
            [*bench, "local", "--data", "vt2v", "-D", f"annotations={SAMPLES / 'vt2v'}"],
            ["bench", "--model", "sum", "--data", name],
        ]  # fmt: skip
        environment = {**server.environment(tmp_path), "CVR_CACHE": str(tmp_path / "cache")}
        made, embedded, *scored, without = run_all(commands, environment)
        asked = len(server.requests)
        again, twice = run_all(
            [[*bench, "again", "--data", name], [*bench, "again", "--data", name, "-D", "annotations=here"]],
            environment,
        )
        assert again[0] == 0 and len(server.requests) == asked, "of a pinned set that is here nothing is asked"
        assert twice[0] == 2 and "leave out -D annotations=" in twice[2]
        fetched = [path for verb, path in server.requests if verb == "GET" and path.endswith(".parquet")]
    assert made[0] == 0 and "videos: 6 videos" in made[1], made
    assert embedded[0] == 0, embedded
    assert len(fetched) == len(set(fetched)), "a file was downloaded twice"
    names = {path.suffix for path in (tmp_path / "videos" / "media").iterdir()}
    assert names == {".mp4"}
    assert [code for code, _, _ in scored] == [0, 0, 0], scored
    found = [json.loads(out) for _, out, _ in scored]
    metrics = [[run["metrics"] for run in runs] for runs in found]
    assert metrics[0] == metrics[1] == metrics[2]
    assert {run["queries"] for run in found[0]} == {3}
    record = json.loads((tmp_path / "by-name" / "sum-user-places" / "result.json").read_text(encoding="utf-8"))
    assert record["task"]["name"] == "user--places-test", "not after the commit that its folder is named after"
    assert (tmp_path / "by-name" / "sum-user-places").is_dir()
    assert without[0] == 2 and f"cvr import vt2v {name}, cvr embed" in without[2]
