"""publish: what is staged, what is withheld, and a real push to a loopback Hub that `datasets` loads back."""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.errors import CvrError
from cvr_data.features.embed import embed
from cvr_data.features.encoders import hash
from cvr_data.features.store import FeatureStore
from cvr_data.publish import lay_out as publish
from cvr_data.publish import media as published_media
from cvr_data.publish.lay_out import Wanted, stage_publication
from cvr_data.tables import content_id
from cvr_data.triplets.build import build_triplets, find_triplet_parts
from cvr_data.triplets.dataset import open_triplet_dataset
from cvr_data.triplets.join import Config
from tests.dataset_folders import write_texts
from tests.hub_server import TOKEN, HubServer

ROOT = Path(__file__).resolve().parents[3]
LOAD = """
import datasets, json, sys
found = datasets.load_dataset("user/tiny")
streamed = list(datasets.load_dataset("user/tiny", split="test", streaming=True))
dense = datasets.load_dataset("user/tiny", "dense", split="train")
print(json.dumps({
    "rows": {split: rows.num_rows for split, rows in found.items()},
    "configs": sorted(datasets.get_dataset_config_names("user/tiny")),
    "streamed": len(streamed), "dense": sorted(set(dense["style"])), "video": found["test"][0]["target_video"],
    "is_video": type(found["test"].features["target_video"]).__name__,
}))
"""


@pytest.fixture
def built(tmp_path):
    """A dataset of two styles; video g1 has no licence."""
    folders = [write_texts(tmp_path), write_texts(tmp_path, style="dense", verb="change its colour to")]
    build_triplets(find_triplet_parts(folders), tmp_path / "tiny", Config(), name="tiny")
    return tmp_path / "tiny"


def run_cvr(words, environment):
    code = "import cli; cli.main()"
    done = subprocess.run([sys.executable, "-c", code, *map(str, words)], env={**os.environ, **environment},
                          cwd=ROOT, capture_output=True, text=True)  # fmt: skip
    assert TOKEN not in done.stdout + done.stderr
    return done


def test_files_that_are_staged(built, tmp_path):
    staged = stage_publication(
        open_triplet_dataset(built), "user/tiny", tmp_path / "staged", Wanted(media=(built.parent / "media",))
    )
    thumbnails = sorted(f"thumbnails/{content_id(name)}.jpg" for name in ("r1", "b1", "r2", "b2"))
    assert list(staged.sizes()) == [
        "CITATION.cff", "LICENCES.md", "README.md", "annotations/webvid_covr_test.csv",
        "annotations/webvid_covr_train.csv",
        "data/dense/test-00000-of-00001.parquet", "data/dense/train-00000-of-00001.parquet",
        "data/short/test-00000-of-00001.parquet", "data/short/train-00000-of-00001.parquet",
        "manifests/01-import-tiny.json", "manifests/02-mine-pairs.json", "manifests/03-generate-modifications.json",
        "manifests/04-generate-modifications.json", "manifests/05-build-triplets.json", "recipe.yaml",
        "statistics.json", *thumbnails,
    ]  # fmt: skip


def test_captions_of_a_video_without_a_licence_are_left_out_everywhere(built, tmp_path):
    staged = stage_publication(
        open_triplet_dataset(built),
        "user/tiny",
        tmp_path / "staged",
        Wanted(with_videos=True, media=(built.parent / "media",)),
    )
    assert staged.withheld_videos == 1
    rows = pq.read_table(tmp_path / "staged" / "data" / "short" / "train-00000-of-00001.parquet").to_pylist()
    guarded, free = sorted(rows, key=lambda row: row["target_id"] != "g1")
    assert (guarded["target_caption"], guarded["changes"], guarded["target_video"]) == (None, None, None)
    assert (guarded["reference_caption"], guarded["target_url"]) == ("a red ball", "https://example.org/g1.mp4")
    assert guarded["modification"] == "make it green"
    assert free["target_caption"] == "a blue ball"
    for path in (tmp_path / "staged").rglob("*"):
        assert path.is_dir() or b"a green ball" not in path.read_bytes(), path
    assert "videos/g1.mp4" not in staged.media
    assert "| found | unknown | 1 | no: ids and urls only |" in (tmp_path / "staged" / "README.md").read_text()


def test_a_licence_can_be_told_for_a_source(built, tmp_path):
    dataset = open_triplet_dataset(built)
    assert (
        stage_publication(dataset, "user/tiny", tmp_path / "a", Wanted(licences={"found": "CC0-1.0"})).withheld_videos
        == 0
    )
    assert (
        stage_publication(
            dataset, "user/tiny", tmp_path / "b", Wanted(licences={"filmed": "proprietary"})
        ).withheld_videos
        == 5
    )
    with pytest.raises(CvrError, match=r"no video is of source 'fund'\. Did you mean: found"):
        stage_publication(dataset, "user/tiny", tmp_path / "c", Wanted(licences={"fund": "mit"}))


def test_without_a_videos_table_nothing_of_a_video_is_published(tmp_path, built):
    from dataclasses import replace

    staged = stage_publication(
        replace(open_triplet_dataset(built), videos=None),
        "user/tiny",
        tmp_path / "staged",
        Wanted(with_videos=True, media=(built.parent / "media",)),
    )
    assert (staged.withheld_videos, staged.media) == (5, {})


def test_the_card_names_one_config_per_style_and_the_default(built, tmp_path):
    stage_publication(
        open_triplet_dataset(built), "user/tiny", tmp_path / "staged", Wanted(media=(built.parent / "media",))
    )
    block = (tmp_path / "staged" / "README.md").read_text().split("---\n")[1]
    configs = yaml.safe_load(block)["configs"]
    assert [config["config_name"] for config in configs] == ["default", "dense", "short"]
    assert configs[0]["data_files"][0] == {"split": "train", "path": "data/*/train-*.parquet"}


def test_staging_twice_gives_the_same_bytes(built, tmp_path):
    for name in ("one", "two"):
        stage_publication(
            open_triplet_dataset(built),
            "user/tiny",
            tmp_path / name,
            Wanted(with_videos=True, media=(built.parent / "media",)),
        )
    names = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in names)


def test_a_dry_run_says_what_would_go_out_and_asks_no_server(built, tmp_path, cvr, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    outcome = cvr.done("publish", built, "--repo", "user/tiny", "--dry-run", "--staging", tmp_path / "staged")
    assert "data/short/train-00000-of-00001.parquet" in outcome.out
    assert "1 videos are published as ids and urls only" in outcome.err
    assert (tmp_path / "staged" / "README.md").exists()


def test_thumbnails_stand_in_the_card_of_videos_that_are_free(built, tmp_path):
    from PIL import Image

    stage_publication(
        open_triplet_dataset(built), "user/tiny", tmp_path / "staged", Wanted(media=(built.parent / "media",))
    )
    card = (tmp_path / "staged" / "README.md").read_text()
    shown = set(re.findall(r"!\[\]\((thumbnails/\w+\.jpg)\)", card))
    assert shown == {f"thumbnails/{content_id(name)}.jpg" for name in ("r1", "b1", "r2", "b2")}
    with Image.open(tmp_path / "staged" / f"thumbnails/{content_id('b2')}.jpg") as image:
        red, _, blue = image.getpixel((5, 5))
    assert blue > 200 > 60 > red


def test_many_videos_are_spread_over_folders_and_their_checksums_stand_in_a_file(built, tmp_path, monkeypatch):
    monkeypatch.setattr(publish, "LISTED_MEDIA", 2)
    monkeypatch.setattr(published_media, "FLAT", 2)
    staged = stage_publication(
        open_triplet_dataset(built),
        "user/tiny",
        tmp_path / "staged",
        Wanted(with_videos=True, media=(built.parent / "media",)),
    )
    assert set(staged.media) == {f"videos/{content_id(name)[:2]}/{name}.mp4" for name in ("r1", "b1", "r2", "b2")}
    lines = (tmp_path / "staged" / "videos.sha256").read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == sorted(staged.media)
    assert lines[0].split("  ")[0] == hashlib.sha256(staged.media[sorted(staged.media)[0]].read_bytes()).hexdigest()
    assert "videos/" not in (tmp_path / "staged" / "README.md").read_text().split("sha256 of the files")[1]


def test_features_of_a_video_without_a_licence_are_left_out(built, tmp_path):
    features = embed(built.parent / "videos", "hash", hash.Config(dim=8, frames=2), tmp_path / "features").path
    stage_publication(open_triplet_dataset(built), "user/tiny", tmp_path / "staged", Wanted(embeddings=features))
    found = pq.read_table(tmp_path / "staged" / "embeddings" / "videos-00000-of-00001.parquet")
    assert found["item_id"].to_pylist() == ["b1", "b2", "r1", "r2"]
    assert [len(frames) for frames in found["frames"].to_pylist()] == [2] * 4
    store = FeatureStore.open(features)
    assert found["embedding"].to_pylist() == store.pooled(["b1", "b2", "r1", "r2"]).tolist()


def test_the_papers_that_go_with_a_dataset(built, tmp_path):
    terms = tmp_path / "TERMS.txt"
    terms.write_text("as is")
    stage_publication(open_triplet_dataset(built), "user/tiny", tmp_path / "staged", Wanted(licence_files=(terms,)))
    assert (tmp_path / "staged" / "licences" / "TERMS.txt").read_text() == "as is"
    licences = (tmp_path / "staged" / "LICENCES.md").read_text()
    assert "- found: unknown, 1 videos: ids and urls only" in licences
    assert "[licences/TERMS.txt](licences/TERMS.txt)" in licences
    citation = yaml.safe_load((tmp_path / "staged" / "CITATION.cff").read_text())
    assert (citation["title"], citation["type"]) == ("tiny", "dataset")
    assert citation["version"] == open_triplet_dataset(built).artifact.key


def test_an_audit_gives_the_card_its_shortcut_rates(built, tmp_path):
    test = [row for row in open_triplet_dataset(built).triplets.to_pylist() if row["split"] == "test"]
    ranks = [{"query_id": row["query_id"], "text_only_masked_rank": 3 if place else 30, "visual_only_baseline_rank": 99,
              "text_only_baseline_rank": 40} for place, row in enumerate(test)]  # fmt: skip
    write_audit(tmp_path / "audit", ranks)
    stage_publication(open_triplet_dataset(built), "user/tiny", tmp_path / "staged", Wanted(audit=tmp_path / "audit"))
    card = (tmp_path / "staged" / "README.md").read_text()
    assert "| answered by text alone | 50.0 % of 2 queries (a target among the 10 best, sum) |" in card
    assert "| answered by reference alone | 0.0 % of 2 queries" in card
    write_audit(tmp_path / "other", [{**ranks[0], "query_id": "0" * 16}])
    with pytest.raises(CvrError, match="1 of its 1 queries are not among the triplets"):
        stage_publication(
            open_triplet_dataset(built), "user/tiny", tmp_path / "staged-2", Wanted(audit=tmp_path / "other")
        )


def write_audit(folder, ranks):
    """Write an audit's files, as `cvr audit` does."""
    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ranks), content)
    with ArtifactWriter(folder, stage="audit") as writer:
        writer.write_file("audit.json", json.dumps({"model": "sum", "composition": {"k": 10}}).encode())
        writer.write_file("composition.parquet", content.getvalue())
        writer.finish()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--repo", "user/tiny", "--embeddings", "x"], "--embeddings belongs to --with-embeddings"),
        (["--repo", "user/tiny", "--with-embeddings"], "was not made from 'embeddings'"),
        (["--repo", "user/tiny", "--licence-file", "x"], "--licence-file x: no such file"),
        (["--repo", "user/tiny", "--audit", "x"], "there is no composition.parquet"),
        (["--repo", "tiny"], "should look like user/name"),
        (["--repo", "user/../x"], "should look like user/name"),
        (["--repo", "user/tiny", "--licence", "mit"], "should look like key=value"),
    ],
)
def test_a_mistake_is_one_line(built, one_line_error, words, message):
    assert message in one_line_error("publish", built, "--dry-run", *words)


def test_a_folder_without_triplets_is_refused(built, one_line_error):
    assert "holds no triplets" in one_line_error("publish", built.parent / "pairs", "--repo", "u/n", "--dry-run")


@pytest.mark.engine
def test_a_pushed_dataset_is_loaded_back(built, tmp_path):
    with HubServer() as hub:
        environment = hub.environment(tmp_path / "home")
        done = run_cvr(
            ["publish", built, "--repo", "user/tiny", "--with-videos", "--private", "--media", built.parent / "media"],
            environment,
        )
        assert done.returncode == 0, done.stderr
        assert 'load_dataset("user/tiny")' in done.stdout
        assert hub.repos["user/tiny"].private
        assert len(hub.repos["user/tiny"].commits) == 2  # the empty repository, then everything at once
        assert set(hub.files("user/tiny")) >= {"videos/r1.mp4", "videos/b2.mp4", "README.md"}
        loaded = subprocess.run([sys.executable, "-c", LOAD], env={**os.environ, **environment},
                                capture_output=True, text=True)  # fmt: skip
        assert loaded.returncode == 0, loaded.stderr
        assert json.loads(loaded.stdout.splitlines()[-1]) == {
            "rows": {"train": 4, "test": 2}, "configs": ["default", "dense", "short"], "streamed": 2,
            "dense": ["dense"], "is_video": "Video",
            "video": {"bytes": None, "path": "hf://datasets/user/tiny/videos/b2.mp4"},
        }  # fmt: skip


@pytest.mark.engine
def test_features_and_videos_of_another_revision_load_there(built, tmp_path):
    embed(built.parent / "videos", "hash", hash.Config(dim=8, frames=2), tmp_path / "features")
    with HubServer() as hub:
        environment = hub.environment(tmp_path / "home")
        words = [
            "--revision",
            "v2",
            "--media",
            built.parent / "media",
            "--with-videos",
            "--with-embeddings",
            "--embeddings",
            tmp_path / "features",
        ]
        done = run_cvr(["publish", built, "--repo", "user/tiny", *words], environment)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1].endswith('load_dataset("user/tiny", revision="v2")')
        assert hub.files("user/tiny") == {}
        code = """
import datasets
videos = datasets.load_dataset("user/tiny", "embeddings", split="videos", revision="v2")
rows = datasets.load_dataset("user/tiny", revision="v2")["test"]
print(videos["item_id"][:], len(videos[0]["embedding"]), len(videos[0]["frames"]), rows[0]["target_video"]["path"])
"""
        loaded = subprocess.run([sys.executable, "-c", code], env={**os.environ, **environment},
                                capture_output=True, text=True)  # fmt: skip
        expected = "['b1', 'b2', 'r1', 'r2'] 8 2 hf://datasets/user/tiny@v2/videos/b2.mp4"  # g1 has no licence
        assert loaded.returncode == 0, loaded.stderr
        assert loaded.stdout.splitlines()[-1] == expected


@pytest.mark.engine
def test_build_triplets_pushes_what_it_built(built, tmp_path):
    with HubServer() as hub:
        words = ["build-triplets", built.parent / "short", "-O", tmp_path / "again", "--push", "user/again"]
        done = run_cvr(words, hub.environment(tmp_path / "home"))
        assert done.returncode == 0, done.stderr
        assert "data/short/train-00000-of-00001.parquet" in hub.files("user/again")


def test_a_wrong_place_to_push_to_is_told_before_anything_is_built(built, tmp_path, one_line_error):
    words = ["build-triplets", built.parent / "short", "-O", tmp_path / "again", "--push", "again"]
    assert "--push 'again' should look like user/name" in one_line_error(*words)
    assert not (tmp_path / "again").exists()


@pytest.mark.engine
def test_files_of_an_older_push_do_not_stay(built, tmp_path):
    with HubServer() as hub:
        environment = hub.environment(tmp_path / "home")
        assert run_cvr(["publish", built, "--repo", "user/tiny"], environment).returncode == 0
        smaller = tmp_path / "smaller"
        build_triplets(find_triplet_parts([tmp_path / "short"]), smaller, Config(), name="tiny")
        assert run_cvr(["publish", smaller, "--repo", "user/tiny"], environment).returncode == 0
        assert not [name for name in hub.files("user/tiny") if "dense" in name]


@pytest.mark.engine
@pytest.mark.parametrize(
    ("status", "message"),
    [(401, "refused the token"), (429, "limits the rate"), (500, "answered 500")],
)
def test_what_the_hub_refuses_is_one_line(built, tmp_path, status, message):
    with HubServer() as hub:
        hub.fail_next(*[status] * 20)
        done = run_cvr(["publish", built, "--repo", "user/tiny"], hub.environment(tmp_path / "home"))
        assert done.returncode == 2
        [line] = [line for line in done.stderr.splitlines() if line.startswith("cvr: ")]
        assert message in line
        assert "Traceback" not in done.stderr


@pytest.mark.engine
def test_a_push_that_breaks_off_leaves_what_was_published_and_can_be_run_again(built, tmp_path):
    with HubServer() as hub:
        environment = hub.environment(tmp_path / "home")
        hub.upload_failures.append(403)
        done = run_cvr(["publish", built, "--repo", "user/tiny"], environment)
        assert done.returncode == 2
        assert "may not write to user/tiny" in done.stderr
        assert hub.files("user/tiny") == {}
        assert run_cvr(["publish", built, "--repo", "user/tiny"], environment).returncode == 0
        assert "README.md" in hub.files("user/tiny")


@pytest.mark.engine
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "Cannot reach http://127.0.0.1:9"),
        ({"HF_TOKEN": ""}, "No Hub token"),
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set"),
    ],
)
def test_no_network_and_no_token_are_one_line(built, tmp_path, settings, message):
    with HubServer() as hub:
        environment = {**hub.environment(tmp_path / "home"), **settings}
        done = run_cvr(["publish", built, "--repo", "user/tiny"], environment)
        assert done.returncode == 2
        assert message in done.stderr
        assert "Traceback" not in done.stderr
