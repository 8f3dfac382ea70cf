"""sources and plan: every described file can be asked for, and a request becomes a list of files."""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cvr_data.core.errors import CvrError
from cvr_data.download.archives import unpacked_marker
from cvr_data.download.hub import hub_download_address_parts
from cvr_data.download.plan import DownloadRequest, carry_out_download, download_standing, make_download_plan
from cvr_data.download.run import Config
from cvr_data.download.source import KINDS, download_source_names, load_download_source, read_download_source
from cvr_data.download.status import read_download_status
from tests.hub_server import HubServer, Repo

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
QUICK = Config(attempts=2, backoff_s=0.01, timeout_s=20)


@pytest.mark.parametrize("name", download_source_names())
def test_every_described_file_has_an_address_and_a_place_of_its_own(name):
    source = load_download_source(name)
    assert source.title
    assert source.licence
    for kind, entries in source.parts.items():
        places = [entry.target for entry in entries if not entry.manual and "*" not in entry.target]
        assert len(places) == len(set(places)), kind
        for entry in entries:
            if entry.url or entry.table:
                address = urlsplit(entry.url or entry.table)
                assert address.scheme in ("http", "https")
                is_of_git = "github" in address.netloc.replace("github.io", "") and "/releases/" not in address.path
                assert not is_of_git or re.search("/[0-9a-f]{40}/", address.path)
            if entry.hub:
                assert hub_download_address_parts(f"hf://{entry.hub}@{entry.revision}/{entry.path}")
            assert entry.sha256 is None or len(entry.sha256) == 64
            assert not Path(entry.target).is_absolute()
            assert ".." not in Path(entry.target).parts


@pytest.mark.data
@pytest.mark.parametrize("name", ["activitynet", "circo", "cirr", "didemo", "egocvr", "fashioniq", "msrvtt", "vatex"])
def test_the_published_annotations_have_the_described_sha256_and_size(real_data, name):
    entries = [entry for entry in load_download_source(name).parts["annotations"] if entry.sha256]
    here = [entry for entry in entries if (real_data / name / entry.target).is_file()]
    for entry in here:
        content = (real_data / name / entry.target).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (entry.sha256, entry.size)
    assert here


def test_the_commits_of_the_hub_are_written_into_the_sources_and_renewed(tmp_path):
    folder = tmp_path / "sources"
    shutil.copytree(ROOT / "cvr_data" / "download" / "sources", folder)

    def entries():
        parts = (part for path in folder.glob("*.yaml") for part in read_download_source(path).parts.values())
        return [(entry.hub.partition("/")[2], entry.revision) for part in parts for entry in part if entry.hub]

    for day in ("first", "second"):
        with HubServer() as hub:
            hub.repos = {name: Repo() for name, _ in entries()}
            newest = {name: repo.commit({}, f"{name} {day}") for name, repo in hub.repos.items()}
            environment = {**os.environ, **hub.environment(tmp_path)}
            subprocess.run([sys.executable, str(ROOT / ".ci/pin.py"), str(folder)], env=environment, check=True)
        assert all(revision == newest[name] for name, revision in entries())
        assert len(newest) == 12


def test_a_split_takes_its_own_files_and_those_of_all(tmp_path):
    source = load_download_source("msvd")
    assert {entry.target for entry in source.entries("annotations", "val")} == {"val_list.txt", "msvd_data.zip"}
    with pytest.raises(CvrError, match=r"have no split 'vall'. Did you mean: val"):
        source.entries("annotations", "vall")
    with pytest.raises(CvrError, match=r"No features of msvd are known .*pass --urls"):
        source.entries("features")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: x\nlicence: y\nvideo: []\n", "unknown key 'video'. Did you mean: videos"),
        ("title: x\nlicence: y\nvideos: [{link: z}]\n", "videos 0: unknown key 'link'"),
        ("title: x\nlicence: y\nvideos: [{file: z}]\n", "videos 0: one of url, hub, table, manual is needed, got none"),
        ("title: x\nlicence: y\nvideos: [{hub: datasets/a/b}]\n", "hub needs path"),
    ],
)
def test_a_wrong_description_is_told(tmp_path, text, message):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(CvrError, match=message):
        read_download_source(tmp_path / "mine.yaml")


@pytest.fixture
def described(server, tmp_path):
    """A request for the annotations of a description that points at the loopback server."""
    content = f"""
title: mine
licence: mine
annotations:
  - {{url: "{server.url}/val.json", file: captions/val.json, split: val}}
  - {{url: "{server.url}/lists.zip", unpack: true, inside: lists}}
  - {{manual: "Sign the form.", split: test}}
videos:
  - {{table: "{server.url}/paths.json", split: val}}
"""
    (tmp_path / "mine.yaml").write_text(content)
    server.put("/val.json", b"[]")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("lists/a.txt", "a")
    server.put("/lists.zip", packed.getvalue())
    paths = {"1/a": f"{server.url}/a.mp4", "1/b": f"{server.url}/b.mp4", "1/c": f"{server.url}/c.mp4"}
    server.put("/paths.json", json.dumps(paths).encode())
    for name in "abc":
        server.put(f"/{name}.mp4", name.encode())
    return DownloadRequest(kind="annotations", name=str(tmp_path / "mine.yaml"), root=tmp_path / "data")


def test_annotations_are_fetched_and_unpacked_once(server, described):
    plan = make_download_plan(described, QUICK)
    assert plan.manual == ["Sign the form."]
    assert download_standing(plan) == {"wanted": 2, "here": 0, "missing": 2}
    assert carry_out_download(plan, QUICK).statuses == {"ok": 2}
    root = described.root
    assert (root / "captions" / "val.json").read_bytes() == b"[]"
    assert (root / "a.txt").read_bytes() == b"a"
    (root / "lists.zip").unlink()
    assert unpacked_marker(root / "lists.zip").exists()
    server.log.clear()
    again = carry_out_download(make_download_plan(described, QUICK), QUICK)
    assert (again.wanted, again.here_before, server.log) == (2, 2, [])


def test_videos_come_from_the_published_list_and_only_those_that_are_wanted(server, described, tmp_path):
    (tmp_path / "test.csv").write_text("pth1,pth2\n1/a,1/c\n1/a,1/gone\n")
    request = replace(described, kind="videos", split="val", only_ids=tmp_path / "test.csv")
    plan = make_download_plan(request, QUICK)
    assert [item.file for item in plan.items] == ["1/a.mp4", "1/c.mp4"]
    assert plan.absent == 1
    assert carry_out_download(plan, QUICK).statuses == {"ok": 2}
    assert (described.root / "videos" / "1" / "c.mp4").read_bytes() == b"c"
    assert server.asked().count("/paths.json") == 1
    make_download_plan(request, QUICK)
    assert server.asked().count("/paths.json") == 1


def test_a_list_that_cannot_be_had_is_told_and_asked_for_again(server, described):
    body = server.pages.pop("/paths.json")
    request = replace(described, kind="videos")
    with pytest.raises(CvrError, match=r"paths.json cannot be had: HTTP 404"):
        make_download_plan(request, QUICK)
    server.pages["/paths.json"] = body
    assert len(make_download_plan(request, QUICK).items) == 3


def test_only_ids_is_for_media(described, tmp_path):
    (tmp_path / "a.csv").write_text("id\nx\n")
    with pytest.raises(CvrError, match="annotations come as whole files"):
        make_download_plan(replace(described, only_ids=tmp_path / "a.csv"), QUICK)


def test_an_unknown_name_says_what_to_pass(tmp_path):
    with pytest.raises(CvrError, match=r"Did you mean: cirr.* pass --urls"):
        make_download_plan(DownloadRequest(kind="videos", name="cir", root=tmp_path), QUICK)


def test_hub_addresses_are_read():
    assert hub_download_address_parts("hf://datasets/a/b@v1/c/d.csv") == ("dataset", "a/b", "v1", "c/d.csv")
    assert hub_download_address_parts("hf://models/a/b/x.ckpt") == ("model", "a/b", "main", "x.ckpt")
    with pytest.raises(CvrError, match="should look like"):
        hub_download_address_parts("hf://a/b/c")


def test_files_of_a_hub_repository_come_through_its_client(tmp_path):
    """In a process of its own: huggingface_hub reads HF_ENDPOINT when it is imported."""
    files = {"test.csv": b"id,pth1\n", "WebVid/8M/train/112/7.mp4": b"seven", "WebVid/8M/train/112/8.mp4": b"eight"}
    (tmp_path / "urls.csv").write_text(
        "id,url\n112/7,hf://datasets/you/set/WebVid/8M/train/112/7.mp4\ngone,hf://datasets/you/set/none.mp4\n"
        "other,hf://datasets/you/none/a.mp4\n"
    )
    with HubServer() as hub:
        hub.blobs = {hashlib.sha256(content).hexdigest(): content for content in files.values()}
        hub.repos["you/set"] = Repo()
        hub.repos["you/set"].commit(dict(zip(files, hub.blobs, strict=True)), "all")
        command = [sys.executable, "-c", "import cli; cli.main()", "download", "videos", "mine", "--json"]
        command += ["--urls", str(tmp_path / "urls.csv"), "--out", str(tmp_path / "mine"), "--attempts", "2"]
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **hub.environment(tmp_path)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["statuses"] == {"failed": 2, "ok": 1}
        assert (tmp_path / "mine" / "videos" / "112" / "7.mp4").read_bytes() == b"seven"
        commit = hub.repos["you/set"].commits[-1][0]
        (row,) = [row for row in read_download_status(tmp_path / "mine" / "videos") if row.status == "ok"]
        assert row.url == f"hf://datasets/you/set@{commit}/WebVid/8M/train/112/7.mp4"

        # What the repository's owner changes meanwhile does not come into a folder that was begun.
        changed = {name: hashlib.sha256(b"new").hexdigest() for name in files}
        hub.blobs[hashlib.sha256(b"new").hexdigest()] = b"new"
        hub.repos["you/set"].commit(changed, "changed")
        with (tmp_path / "urls.csv").open("a") as urls:
            urls.write("112/8,hf://datasets/you/set/WebVid/8M/train/112/8.mp4\n")
        again = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert again.returncode == 0, again.stderr
        assert (tmp_path / "mine" / "videos" / "112" / "8.mp4").read_bytes() == b"eight"
        listing = (
            "from cvr_data.download.hub import hub_files; print(hub_files('you/set', 'dataset', 'main', '*/7.mp4'))"
        )
        listed = subprocess.run(
            [sys.executable, "-c", listing], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        assert listed.stdout.strip() == "['WebVid/8M/train/112/7.mp4']"


def test_the_kinds_are_those_of_the_command():
    from cvr_data.commands.download import KINDS as OFFERED

    assert OFFERED == KINDS
