"""Recipes of paper rows: each says what it stands on, and runs on tiny data."""

import json
import pickle
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from cvr_bench.recipes import RECIPE_FOLDERS
from cvr_bench.recipes.recipe import ABOUT, built_in_recipes, load_recipe
from cvr_bench.results.result import read_result
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.media.video import Video
from cvr_data.tables import PAIRS, TRIPLETS, VIDEOS
from tests.benchmark_samples import SAMPLES, sample_tasks
from tests.pair_tables import pair

OF_NO_PAPER = ("quickstart", "real", "real-both", "folder-to-triplets", "composer-synthetic")
DOWNLOADING = ("covr-blip-released",)
"""Begin at a download; run here from the import on (test_released.py)."""
ROWS = {
    name: path for name, path in built_in_recipes(RECIPE_FOLDERS).items() if name not in (*OF_NO_PAPER, *DOWNLOADING)
}
"""Recipes of papers: one per row."""
SMALL_BATCHES = "-t epochs=1 -t batch_size=4"


def ids_of_samples() -> set[str]:
    """Every video or image that the hand-written samples name."""
    found = set()
    for task in sample_tasks():
        found |= {item.item_id for item in task.gallery if item.video}
        found |= {query.reference.item_id for query in task.queries if query.reference}
    return found


@pytest.fixture(scope="module")
def videos(tmp_path_factory, world):
    """A table of all those and of the tiny world; none has a file, so the hash encoder draws their frames."""
    rows = open_artifact(world.videos).read().to_pylist()
    known = {row["video_id"] for row in rows}
    rows += [
        {"video_id": video_id, "captions": [f"a clip called {video_id}"], "source": "samples"}
        for video_id in sorted(ids_of_samples() - known)
    ]
    folder = tmp_path_factory.mktemp("recipes") / "videos"
    with ArtifactWriter(folder, stage="import-samples") as writer:
        writer.write_part(0, check_columns(pa.Table.from_pylist(rows), VIDEOS, "videos"))
        writer.finish()
    return folder


@pytest.fixture(scope="module")
def features(videos):
    from cvr_data.features.embed import embed
    from cvr_data.features.encoders import ENCODERS

    made = embed(videos, "hash", ENCODERS.get("hash").Config(dim=16, frames=2), videos.with_name("features"))
    store = ENCODERS.get("stored").load(ENCODERS.config("stored", {"embeddings": str(made.path)}))
    for video_id in made.read(["item_id", "kind"]).filter(pc.field("kind") == "video").column("item_id").to_pylist():
        path = videos.with_name("features-npy") / f"{video_id}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, store.encode_videos([Video(video_id)]).frames_BTD[0].numpy())
    return made.path


@pytest.fixture(scope="module")
def train(videos, world):
    """The tiny world's triplets, with captions."""
    rows = open_artifact(world.triplets).read().to_pylist()
    captions = {
        f"{end}_caption": f"a clip called {row[end + '_id']}" for row in rows for end in ("reference", "target")
    }
    path = videos.with_name("train.parquet")
    pq.write_table(pa.Table.from_pylist([{**row, **captions} for row in rows], TRIPLETS), path)
    return path


@pytest.fixture(scope="module")
def pairs(videos):
    """Mined pairs of the tiny world: the ball changes its colour."""
    rows = []
    for split, count in (("train", 12), ("val", 6)):
        for number in range(count):
            colours = [f"a {colour} ball rolls in room {number}" for colour in ("red", "blue")]
            made = pair(*colours, ids=(f"{split}{number:02d}", f"{split}{number + 1:02d}"))
            rows.append({**made, "strategy": "one-word", "split": split})
            rows[-1]["changes"] = [{"kind": "static", "slot": "attribute", "before": "red", "after": "blue"}]
    with ArtifactWriter(videos.with_name("pairs"), stage="mine-pairs", inputs={"videos": videos}) as writer:
        writer.write_part(0, pa.Table.from_pylist(rows, PAIRS))
        writer.finish()
    return videos.with_name("pairs")


@pytest.fixture
def tiny(videos, features, train, pairs):
    """Values of the variables that recipes have, for the samples instead of the published files."""
    return {
        "videos": str(videos),
        "images": str(features),
        "features": str(features),
        "encoder": "--encoder hash -o dim=16 -o frames=2",
        "looked_at": "--encoder hash -o dim=16",
        "drawn_from": "--encoder hash -o dim=16 -o frames=2",
        "train": str(train),
        "pairs": str(pairs),
        "training": SMALL_BATCHES,
        "data_options": "-D counts=any",
        "devices": "",
        "start": "",
        "llm": "-o backend=echo",
    }


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_row_says_what_was_published_what_it_needs_and_what_was_verified(name):
    recipe = load_recipe(ROWS[name])
    assert set(ABOUT) - {"differs", "machine"} <= set(recipe.about)
    assert recipe.name == name
    assert "verified" in recipe.about["verified"]
    assert any(step[0] == "bench" for step in recipe.steps)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The samples, and training captions of the tiny world in the files of the text-video data sets."""
    folder = tmp_path_factory.mktemp("published") / "samples"
    shutil.copytree(SAMPLES, folder)
    ids = [f"train{number:02d}" for number in range(12)]
    words = {video_id: f"A ball rolls in room {number}." for number, video_id in enumerate(ids)}
    cells = "0\t1\t0\t1"
    files = {
        "activitynet/train.json": {
            video_id: {"duration": 2, "timestamps": [[0, 1]], "sentences": [text]} for video_id, text in words.items()
        },
        "didemo/train_data.json": [{"video": video_id, "description": text} for video_id, text in words.items()],
        "vatex/vatex_training_v1.0.json": [{"videoID": video_id, "enCap": [text]} for video_id, text in words.items()],
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    lines = "".join(f"{video_id}\t{cells}\t{text}\n" for video_id, text in words.items())
    (folder / "lsmdc/LSMDC16_annos_training.csv").write_text(lines, encoding="utf-8")
    for name in ("didemo/train_list.txt", "msvd/train_list.txt"):
        (folder / name).write_text("".join(f"{video_id}\n" for video_id in ids), encoding="utf-8")
    scored = (folder / "msvd/test_list.txt").read_text(encoding="utf-8").split()
    captions = {video_id: [["a", "man", "runs"]] for video_id in scored}
    captions |= {video_id: [text.lower().split()] for video_id, text in words.items()}
    (folder / "msvd/raw-captions.pkl").write_bytes(pickle.dumps(captions, protocol=2))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_row_runs_on_tiny_data(name, tiny, published, tmp_path, cvr, monkeypatch):
    monkeypatch.setenv("CVR_DATA", str(published))
    known = yaml.safe_load(ROWS[name].read_text(encoding="utf-8"))["variables"]
    values = {**tiny, **small_model(name), **own_files(name, tiny)}
    options = [word for key, value in values.items() if key in known for word in ("-o", f"{key}={value}")]
    outcome = cvr("run", ROWS[name], "--in", tmp_path, *options)
    assert outcome.code == 0, outcome.err
    results = [read_result(path.parent) for path in tmp_path.rglob("result.json")]
    assert len(results) >= sum(step[0] == "bench" for step in load_recipe(ROWS[name]).steps)
    for result in results:
        assert all(0 <= result.interval(metric).value <= 100 for metric in result.metric_names if "@" in metric)


def small_model(name: str) -> dict[str, str]:
    """Options that keep a recipe's model small; FDCA's published size follows from the features."""
    if name.startswith(("covr", "bse", "ecde", "retrack", "hud")):
        small = "-o width=8 -o layers=1 -o heads=2"
        return {"model": small, "image_model": small, "mode": "-o mode=faithful -o batch=4"}
    if name == "reason-rerank":
        tiny, lines = "-o tiny=true", "-o first=tfr-covr -o first_options=backend=echo,neighbours=9"
        return {"model": tiny, "first": "-o first=embedder -o first_options=tiny=true", "reasons": lines,
                "judge": "-o second_options=tiny=true"}  # fmt: skip
    if name.startswith("drl"):  # released, a batch of one video has no deviation
        return {"model": "", "clip": "", "sampler": ""}
    return {"model": "-o mode=fixed -o width=8 -o heads=2"} if name.startswith("fdca") else {}


def own_files(name: str, tiny: dict[str, str]) -> dict[str, str]:
    """Variables that name published files, for the samples of them."""
    if name.startswith("fdca-finecvr"):
        encoder = "--encoder hash --encoder-option dim=16 --encoder-option frames=2"
        return {"finecvr": str(SAMPLES / "finecvr"), "features": tiny["features"] + "-npy", "encoder": encoder}
    if name == "bse-dense-webvid-covr":
        folder = SAMPLES / "dense-webvid-covr"
        return {"folder": str(folder), "train_file": str(folder / "dense-webvid8m-covr_test.csv")}
    folders = [SAMPLES / name.rsplit("-", 1)[1] for ending in ("cirr", "fashioniq") if name.endswith(ending)]
    return {"folder": str(folders[0]), "split": "-o split=val"} if folders else {}
