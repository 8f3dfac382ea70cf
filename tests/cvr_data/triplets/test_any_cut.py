"""build-triplets: whatever its inputs are cut into and wherever it runs, the same bytes."""

import random
from itertools import pairwise

import pyarrow as pa
import pytest

from cvr_data.core import parts, runner
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.core.columns import check_columns
from cvr_data.core.engine import Engine
from cvr_data.core.jobs import use_engine
from cvr_data.tables import MODIFICATIONS, PAIRS, VIDEOS, pair_id
from cvr_data.triplets.build import build_triplets, find_triplet_parts, triplets_with_tests
from cvr_data.triplets.join import Config

pytestmark = pytest.mark.slow

WORDS = ("red", "blue", "ball", "cube", "runs", "café")
SMALL = {"PART_VALUES": (parts, 40), "BUCKET_VALUES": (runner, 60), "CLAIMS": (runner, 100)}


def write(folder, stage, rows, schema, size, **inputs):
    """Write rows in parts of `size`."""
    with ArtifactWriter(folder, stage=stage, inputs=inputs) as writer:
        for index, start in enumerate(range(0, len(rows), size)):
            table = pa.Table.from_pylist(rows[start : start + size], pa.schema([*schema, ("clip", pa.float32())]))
            writer.write_part(index, check_columns(table, schema, "test"))
        writer.finish()
    return folder


def write_corpus(folder, seed, size, prefix="v"):
    """Write videos, pairs and two folders of texts in which everything that drops a text occurs; return the texts."""
    at = random.Random(seed)
    videos = [
        {"video_id": f"{prefix}{n}", "captions": ["b" if n % 3 == 0 or (n % 2 and prefix == "v") else "a"],
         "split": ("test", "val")[n % 2], "source": at.choice(["x", "y"]), "licence": at.choice([None, "MIT"]),
         "duration_s": at.choice([None, 1.5, n / 7])}
        for n in range(14)
    ]  # fmt: skip
    ends = sorted({(at.randrange(14), at.randrange(14)) for _ in range(16)})
    pairs = [
        {"pair_id": pair_id(f"{prefix}{a}", f"{prefix}{b}", text, "b"), "reference_id": f"{prefix}{a}",
         "target_id": f"{prefix}{b}", "reference_caption": text, "target_caption": "b", "strategy": "given",
         "changes": [{"kind": "static", "slot": None, "before": text, "after": at.choice(WORDS)}],
         "visual_similarity": at.choice([None, 0.25, 0.5, at.random()]), "clip": at.random(),
         "split": ("train", "train", "val", None, "test")[a * b % 5],
         "target_group_id": at.choice([None, f"g{b % 9}", f"g{b % 9}"])}
        for a, b in ends for text in at.sample(WORDS, 2)
    ]  # fmt: skip
    folders = []
    for style in ("first", "second"):
        texts = [
            {"modification_id": f"{at.getrandbits(64):016x}", "pair_id": at.choice([pair["pair_id"]] * 9 + ["gone"]),
             "modification": " ".join(at.choices(WORDS, k=at.choice([1, 1, 2]))), "style": "short", "backend": "rules",
             "model": "rules", "prompt": "", "prompt_sha256": "", "seed": 0, "status": status,
             "reasons": ["copied"] if status == "rejected" else []}
            for pair in pairs for status in at.choices(["ok", "rejected", "error"], [8, 1, 1], k=2)
        ]  # fmt: skip
        inputs = {"videos": write(folder / "videos", "import-x", videos, VIDEOS, size)} if not folders else {}
        made = write(folder / "pairs", "mine-pairs", pairs, PAIRS, size, **inputs) if inputs else folder / "pairs"
        folders.append(write(folder / style, "generate-modifications", texts, MODIFICATIONS, size, pairs=made))
    return folders


def build(folder, out, size, seed=0):
    sources = find_triplet_parts(write_corpus(folder / "corpus", seed, size))
    tests = write_corpus(folder / "tests", seed + 100, size, prefix="v1")
    config = Config(max_per_target=9, max_per_text=7, max_answers=5)
    return build_triplets(triplets_with_tests(sources, tests), out, config, name="tiny")


def contents(folder):
    """What must not differ: all but the card and the manifest, which tell of the run."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".parquet", ".csv")} | {
        "statistics": (folder / "statistics.json").read_bytes()
    }


def own_steps(artifact):
    return [step for step in artifact.manifest["funnel"] if step["stage"] == "build-triplets"]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    for name, (module, value) in SMALL.items():
        monkeypatch.setattr(module, name, value)


@pytest.mark.parametrize(("seed", "size"), [(0, 7), (1, 100)])
def test_no_cut_and_no_number_of_buckets_changes_what_comes_out(seed, size, tmp_path, monkeypatch):
    cut = build(tmp_path / "cut", tmp_path / "out", size, seed)
    whole = build(tmp_path / "whole", tmp_path / "other", 1000, seed)
    assert contents(tmp_path / "out") == contents(tmp_path / "other")
    assert len(cut.part_paths) > 1
    for name, (module, _) in SMALL.items():
        monkeypatch.setattr(module, name, 1_000_000)
    one = build(tmp_path / "one", tmp_path / "single", 1000, seed)
    assert len(one.part_paths) == 1
    assert own_steps(cut) == own_steps(whole) == own_steps(one)
    key = ["split", "reference_id", "modification", "target_id", "modification_id"]
    order = [(name, "ascending") for name in key]
    assert cut.read().sort_by(order).equals(one.read())
    dropped = [made.dropped().select([*key, "drop_reason"]).sort_by([*order, ("drop_reason", "ascending")])
               for made in (cut, one)]  # fmt: skip
    assert dropped[0].equals(dropped[1])
    names = [(folder / "statistics.json").read_bytes() for folder in (tmp_path / "out", tmp_path / "single")]
    assert names[0] == names[1]


def test_every_reason_occurs_and_the_funnel_adds_up(tmp_path):
    made = [build(tmp_path / f"{seed}", tmp_path / f"out{seed}", 20, seed) for seed in range(2)]
    assert {reason for artifact in made for reason in artifact.manifest["dropped"]} == {
        "copied", "error", "pair_not_found", "reference_is_target", "straddles_splits", "too_many_answers", "duplicate",
        "over_target_cap", "over_text_cap", "not_of_test_source", "shares_test_video",
    }  # fmt: skip
    for artifact in made:
        steps = own_steps(artifact)
        counted = [step for step in steps if step["step"] != "answers"]
        assert all(step["in"] == step["out"] + sum(step["dropped"].values()) for step in counted)
        assert all(after["in"] in (None, before["out"]) for before, after in pairwise(steps))
        assert steps[-1]["out"] == artifact.manifest["rows"] == artifact.read().num_rows
        made_here = artifact.manifest["further_answers"]
        assert made_here > 0
        assert steps[0]["in"] + made_here == artifact.manifest["rows"] + artifact.dropped().num_rows
        assert verify(artifact.path) == []
        assert {path.suffix for path in artifact.path.iterdir()} == {".parquet", ".csv", ".json", ".md"}


def test_of_equal_triplets_those_of_the_first_folder_stay(tmp_path):
    folders = write_corpus(tmp_path, 0, 20)
    kept = [build_triplets(find_triplet_parts(order), tmp_path / f"out{order[0].name}", Config(), name="tiny").read()
            for order in (folders, folders[::-1])]  # fmt: skip
    assert set(kept[0]["triplet_id"].to_pylist()) == set(kept[1]["triplet_id"].to_pylist())
    for number, rows in enumerate(kept):
        own = set(open_artifact(folders[number]).read()["modification_id"].to_pylist())
        ids = set(rows["modification_id"].to_pylist())
        as_second = set(kept[1 - number]["modification_id"].to_pylist()) & own
        assert as_second <= ids  # what stays of the second folder stays of it as the first


@pytest.mark.engine
def test_two_processes_write_the_same_bytes(tmp_path):
    build(tmp_path / "a", tmp_path / "here", 20)
    with use_engine(Engine("local", 2)):
        build(tmp_path / "b", tmp_path / "pool", 20)
    assert contents(tmp_path / "pool") == contents(tmp_path / "here")
