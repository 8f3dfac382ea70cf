"""Recipes of paper rows: each says what it stands on, and runs on tiny data from the import on."""

import csv
import json
import pickle
import shlex
import shutil
from itertools import pairwise

import click
import numpy as np
import pytest
from PIL import Image

import cli
from cvr_bench.recipes import RECIPE_FOLDERS
from cvr_bench.recipes.recipe import ABOUT, built_in_recipes, load_recipe, recipe_variables
from cvr_bench.results.result import read_result
from cvr_data.core.artifacts import open_artifact
from cvr_data.download.source import load_download_source
from cvr_data.media.video import write_mp4
from tests.benchmark_samples import SAMPLES, sample_task
from tests.labelled_clips import scene

OF_NO_PAPER = ("quickstart", "real", "real-both", "folder-to-triplets", "composer-synthetic", "composer-msrvtt")
ROWS = {name: path for name, path in built_in_recipes(RECIPE_FOLDERS).items() if name not in OF_NO_PAPER}
"""Recipes of papers: one per row."""
SMALL_BATCHES = "-t epochs=1 -t batch_size=4"
TRAINED_ON = tuple(f"train/{number:02d}" for number in range(12))
GONE = "002/107"
"""A clip that its host does not serve any more."""
MEDIA = {
    **dict.fromkeys(("webvid-covr", "dense-webvid-covr", "egocvr", "vatex", "activitynet", "didemo"), "videos/{}.mp4"),
    **dict.fromkeys(("fashioniq", "cc-coir"), "images/{}.jpg"),
    "msrvtt": "videos/all/{}.mp4",
    "msvd": "videos/{}.avi",
    "lsmdc": "videos/films/{}.mp4",
    "cirr": "images/dev/{}.png",
    "circo": "images/unlabeled2017/{:0>12}.jpg",
}
"""Data set -> where its media lie once they are downloaded."""


def write_media(folder, name, ids):
    for number, video_id in enumerate(sorted(ids)):
        stem = video_id.partition(".")[0] if name == "didemo" else video_id
        path = folder / name / MEDIA[name].format(stem)
        path.parent.mkdir(parents=True, exist_ok=True)
        frames = scene(number % 7, frames=4, side=32)
        if path.suffix in (".mp4", ".avi"):
            write_mp4(path.with_suffix(".mp4"), frames)
        else:
            Image.fromarray(frames[0]).save(path)


def ids_of(task):
    found = {item.item_id for item in task.gallery if item.video}
    return found | {query.reference.item_id for query in task.queries if query.reference}


def training_rows(first):
    """Triplets whose captions differ in a colour, on twelve videos."""
    for number in range(0, len(TRAINED_ON), 2):
        texts = [f"{first} {colour} ball rolls in room {number}" for colour in ("red", "blue")]
        yield {"txt1": texts[0], "txt2": texts[1], "pth1": TRAINED_ON[number], "pth2": TRAINED_ON[number + 1],
               "edit": "make the ball blue", "scores": "[]"}  # fmt: skip


def write_training_files(folder):
    """What the samples lack: files to train on."""
    words = {video_id.replace("/", ""): f"A ball rolls in room {video_id}." for video_id in TRAINED_ON}
    for file in ("webvid-covr/webvid2m-covr_train.csv", "dense-webvid-covr/dense-webvid2m-covr_train.csv"):
        with (folder / file).open("w", encoding="utf-8", newline="") as out:
            rows = csv.DictWriter(out, ["txt1", "txt2", "pth1", "pth2", "edit", "scores"])
            rows.writeheader()
            rows.writerows(training_rows("a"))
    for path in [*(folder / "cirr").rglob("*.val.json"), *(folder / "fashioniq").rglob("*.val.json")]:
        shutil.copy(path, path.with_name(path.name.replace(".val.", ".train.")))
    both_ways(folder / "cirr/captions/cap.rc2.train.json")
    for path in (folder / "finecvr/annotations").glob("*test*"):
        shutil.copy(path, path.with_name(path.name.replace("test", "train")))
    files = {
        "activitynet/train.json": {
            video_id: {"duration": 2, "timestamps": [[0, 1]], "sentences": [text]} for video_id, text in words.items()
        },
        "didemo/train_data.json": [{"video": video_id, "description": text} for video_id, text in words.items()],
        "vatex/vatex_training_v1.0.json": [{"videoID": video_id, "enCap": [text]} for video_id, text in words.items()],
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    cells = "0\t1\t0\t1"
    lines = "".join(f"{video_id}\t{cells}\t{text}\n" for video_id, text in words.items())
    (folder / "lsmdc/LSMDC16_annos_training.csv").write_text(lines, encoding="utf-8")
    for name in ("didemo/train_list.txt", "msvd/train_list.txt"):
        (folder / name).write_text("".join(f"{video_id}\n" for video_id in words), encoding="utf-8")
    scored = (folder / "msvd/test_list.txt").read_text(encoding="utf-8").split()
    captions = {video_id: [["a", "man", "runs"]] for video_id in scored}
    captions |= {video_id: [text.lower().split()] for video_id, text in words.items()}
    (folder / "msvd/raw-captions.pkl").write_bytes(pickle.dumps(captions, protocol=2))
    return words


def both_ways(path):
    """CIRR's triplets, and from each target back to its reference."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    back = [
        {**row, "pairid": 100 + row["pairid"], "reference": row["target_hard"], "target_hard": row["reference"],
         "target_soft": {row["reference"]: 1.0}}
        for row in rows
    ]  # fmt: skip
    path.write_text(json.dumps(rows + back), encoding="utf-8")


def stand_in(published, name):
    """The file of a short training on the media of a data set, where released weights would be fetched."""
    path = published / f"{name}_train.csv"
    ids = sorted(ids_of(sample_task(name, folder=published / name)))
    lines = [
        f"{one},{other},a dog,a cat,make it {number}" for number, (one, other) in enumerate(pairwise([*ids, ids[0]]))
    ]
    path.write_text("\n".join(["pth1,pth2,txt1,txt2,edit", *lines, ""]), encoding="utf-8")
    return f"--train-data {path} {SMALL_BATCHES}"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The samples as `cvr download` would leave them: with media, training files, and features of FineCVR."""
    folder = tmp_path_factory.mktemp("published") / "samples"
    shutil.copytree(SAMPLES, folder)
    words = write_training_files(folder)
    for name in MEDIA:
        ids = ids_of(sample_task(name, folder=folder / name))
        if name in ("activitynet", "didemo", "vatex", "lsmdc", "msvd"):
            ids |= {*words}
        if name == "msrvtt":
            ids |= {f"video{number}" for number in range(1, 9)}
            told = [{"video_id": video_id, "caption": "a dog"} for video_id in sorted(ids)]
            (folder / name / "MSR_VTT.json").write_text(json.dumps({"videos": [], "sentences": told}))
            listed = "".join(f"video{number}\n" for number in range(1, 9))
            (folder / name / "MSRVTT_train.9k.csv").write_text(f"video_id\n{listed}")
        write_media(folder, name, ids - {GONE} | ({*TRAINED_ON} if name == "webvid-covr" else set()))
    write_features(folder / "finecvr" / "published", ids_of(sample_task("finecvr")))
    return folder


def write_features(folder, ids):
    """One .npy of two frames for each id."""
    folder.mkdir()
    draw = np.random.default_rng(0)
    for video_id in sorted(ids):
        np.save(folder / f"{video_id}.npy", draw.standard_normal((2, 16)).astype(np.float32))


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_row_says_what_was_published_what_it_takes_and_what_was_verified(name):
    recipe = load_recipe(ROWS[name])
    assert set(ABOUT) - {"differs"} <= set(recipe.about)
    assert recipe.name == name
    assert "verified" in recipe.about["verified"]
    assert any(step[0] == "bench" for step in recipe.steps)
    assert (
        "Disk" in recipe.about["machine"] and "GPU" in recipe.about["machine"] and "measured" in recipe.about["machine"]
    )
    assert recipe.slurm["gpus"] >= 1


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_row_begins_at_the_download_and_each_line_is_a_command(name):
    steps = load_recipe(ROWS[name]).steps
    fetched = [words for words in steps if words[0] == "download"]
    assert steps[: len(fetched)] == tuple(fetched) or name == "fdca-finecvr-clip"
    for words in fetched:
        of_split = words[words.index("--split") + 1] if "--split" in words else None
        assert "--urls" in words or load_download_source(words[2]).entries(words[1], of_split)
    for words in steps:
        command = cli.group.get_command(click.Context(cli.group), words[0])
        assert command is not None and command.make_context(words[0], list(words[1:]), resilient_parsing=False)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_row_scores_the_released_weights_first_or_says_that_there_are_none(name):
    from cvr_bench.checkpoints.published import published_checkpoints

    recipe = load_recipe(ROWS[name])
    first = next(words for words in recipe.steps if words[0] == "bench")
    released = first[first.index("--checkpoint") + 1] if "--checkpoint" in first else None
    assert released in published_checkpoints() or any(
        told in recipe.about["needs"] + recipe.about["verified"]
        for told in (
            "cvr list checkpoints`",
            "no weights",
            "No weights",
            "so none are scored",
            "released weights are scored by",
        )
    )


@pytest.mark.parametrize("name", sorted(built_in_recipes(RECIPE_FOLDERS)))
def test_every_recipe_shows_its_plan_and_prints_a_batch_file(name, cvr):
    plan = cvr("run", name, "--dry-run")
    recipe = load_recipe(built_in_recipes(RECIPE_FOLDERS)[name])
    assert plan.code == 0, plan.err
    assert [line.split()[1] for line in plan.out.splitlines() if line.startswith("cvr ")] == [
        step[0] for step in recipe.steps
    ]
    job = cvr("run", name, "--in", "runs", "--sbatch")
    assert job.code == 0 and f"cvr run {name} --in runs &" in job.out.splitlines(), job.err


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_row_runs_on_tiny_data(name, published, tmp_path, cvr, monkeypatch):
    monkeypatch.setenv("CVR_DATA", str(published))
    values = {key: value for key, value in tiny_values(name, published).items() if key in recipe_variables(ROWS[name])}
    steps = load_recipe(ROWS[name], values, lambda data: published / data).steps
    lines = [shlex.join(["cvr", *step]) for step in steps if step[0] != "download"]
    (tmp_path / "rest.yaml").write_text(json.dumps({"name": name, "steps": lines}), encoding="utf-8")
    cvr.done("run", tmp_path / "rest.yaml", "--in", tmp_path / "run")
    results = [read_result(path.parent) for path in (tmp_path / "run").rglob("result.json")]
    assert len(results) >= sum(step[0] == "bench" for step in steps)
    for result in results:
        assert all(0 <= result.interval(metric).value <= 100 for metric in result.metric_names if "@" in metric)
    if name == "covr-blip-released":
        rows = open_artifact(tmp_path / "run" / "videos").read().to_pylist()
        assert [row["video_id"] for row in rows if not row["path"]] == [GONE]
        assert results[0].record["task"]["gallery"] == 4  # distinct targets; the hash encoder draws what has no file


def tiny_values(name: str, published) -> dict[str, str]:
    """Values of the variables that recipes have: small models, and for weights that are fetched a short training."""
    values = {
        "encoder": "--encoder hash -o dim=16 -o frames=2",
        "looked_at": "--encoder hash -o dim=16",
        "drawn_from": "--encoder hash -o dim=16 -o frames=2",
        "mining": "-f none",
        "training": SMALL_BATCHES,
        "data_options": "-D counts=any",
        "devices": "",
        "start": "",
        "released": stand_in(published, "webvid-covr"),
        "llm": "-o backend=echo",
        "features": str(published / "finecvr" / "published"),
        "sampler": "",
        "clip": "",
    }
    if name.endswith(("cirr", "fashioniq")):
        values["released"] = f"--train-data annotations/{name.rpartition('-')[2]} {SMALL_BATCHES}"
    if name.endswith("zero-shot"):
        values["start"] = stand_in(published, "cirr")
    if name.startswith("fdca-finecvr"):
        values["encoder"] = "--encoder hash --encoder-option dim=16 --encoder-option frames=2"
    return values | small_model(name)


def small_model(name: str) -> dict[str, str]:
    """Options that keep a recipe's model small; FDCA's published size follows from the features."""
    if name.startswith(("covr", "bse", "ecde", "retrack", "hud")):
        small = {"model": "-o width=8 -o layers=1 -o heads=2"}
        return small | ({"mode": "-o mode=faithful -o batch=4"} if name.startswith("retrack") else {})
    if name == "reason-rerank":
        tiny, lines = "-o tiny=true", "-o first=tfr-covr -o first_options=backend=echo,neighbours=9"
        return {"model": tiny, "first": "-o first=embedder -o first_options=tiny=true", "reasons": lines,
                "judge": "-o second_options=tiny=true"}  # fmt: skip
    if name.startswith("drl"):  # released, a batch of one video has no deviation
        return {"model": ""}
    return {"model": "-o mode=fixed -o width=8 -o heads=2"} if name.startswith("fdca") else {}
