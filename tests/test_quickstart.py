"""The main job, once: a wheel in an empty environment runs `cvr quickstart`, and the tests read what it left."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cvr_data.core.artifacts import open_artifact, verify

ROOT = Path(__file__).resolve().parent.parent
pytestmark = [pytest.mark.engine, pytest.mark.timeout(2700)]


@dataclass(frozen=True)
class Run:
    """A finished quickstart: its folder, what it printed, and the `cvr` of the empty environment."""

    folder: Path
    printed: str
    cvr: Path

    def command(self, *words: str) -> subprocess.CompletedProcess:
        return run_in(self.folder, self.cvr, *words)


def run_in(folder: Path, *words: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run(words, cwd=folder, env=clean_environment(), capture_output=True, text=True)


def clean_environment() -> dict[str, str]:
    """The environment of a person outside the checkout, with the allocator settings of the Makefile."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "OMP_"))}
    keep_memory = {"MALLOC_MMAP_THRESHOLD_": "8589934592", "MALLOC_TRIM_THRESHOLD_": "8589934592"}
    return {**kept, **keep_memory, "MALLOC_TOP_PAD_": "268435456"}


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("outside")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist"), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    wheel = next((folder / "dist").glob("cvr-*.whl"))
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    install = [folder / "env/bin/python", "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, "--upgrade", "pip"], check=True)
    small_torch = [*install, "--no-deps", "--require-hashes", "-r", ROOT / "requirements-cpu.lock"]
    subprocess.run(small_torch, check=False, capture_output=True)  # where pip does not find it, PyPI's comes
    subprocess.run([*install, "--require-hashes", "-r", ROOT / "requirements.lock"], check=True)
    subprocess.run([*install, "--no-deps", wheel], check=True)
    cvr = folder / "env/bin/cvr"
    done = run_in(folder, cvr, "quickstart")
    assert done.returncode == 0, done.stderr[-4000:]
    return Run(folder / "quickstart", done.stdout, cvr)


def results(run: Run) -> dict[str, dict]:
    found = [json.loads(path.read_text()) for path in (run.folder / "results").glob("*/result.json")]
    return {result["model"]: result for result in found}


def test_it_ends_with_a_table_a_report_and_the_commands(quickstart):
    assert "R@1" in quickstart.printed
    assert "report.html" in quickstart.printed
    assert re.search(r"\$ cvr bench .*--model fdca", quickstart.printed)
    assert set(results(quickstart)) >= {"random", "constant", "visual-only", "text-only", "sum", "combiner", "fdca"}


def test_every_folder_it_made_verifies(quickstart):
    manifests = sorted(quickstart.folder.rglob("manifest.json"))
    assert len(manifests) >= 8
    for manifest in manifests:
        assert verify(manifest.parent) == [], manifest.parent


def test_no_video_and_no_near_duplicate_straddles_splits(quickstart):
    triplets = open_artifact(quickstart.folder / "annotations" / "quickstart").read().to_pylist()
    for column in ("reference_id", "target_id", "reference_group_id", "target_group_id"):
        splits: dict[str, set[str]] = {}
        for row in triplets:
            splits.setdefault(row[column], set()).add(row["split"])
        assert all(len(found) == 1 for found in splits.values()), column


def test_the_test_world_is_large_enough_to_tell_models_apart(quickstart):
    ranks = pq.read_table(next((quickstart.folder / "results").glob("*fdca*/ranks.parquet")))
    assert ranks.num_rows >= 400
    assert len(set(ranks.column("query_id").to_pylist())) == ranks.num_rows


@pytest.mark.parametrize("composed", ["combiner", "fdca"])
@pytest.mark.parametrize("baseline", ["visual-only", "text-only"])
def test_a_composed_model_beats_each_unimodal_baseline(quickstart, composed, baseline):
    folders = {name: str(next((quickstart.folder / "results").glob(f"{name}-*"))) for name in (composed, baseline)}
    done = quickstart.command("compare", folders[composed], folders[baseline], "--by", "backend", "--json")
    assert done.returncode == 0, done.stderr
    comparison = json.loads(done.stdout)
    assert comparison["difference"]["mean"]["interval"][0] > 0
    by_source = comparison["slices"]
    assert set(by_source) - {"several"} == {"rules", "truth", "transformers"}  # two sources may write one text
    assert all(by_source[source]["difference"]["mean"]["interval"][0] > 0 for source in ("rules", "truth")), by_source
    # The language model writes some hundred queries only, so no interval is asked for.
    assert by_source["transformers"]["difference"]["mean"]["value"] > 0


def test_running_it_again_only_reads(quickstart):
    before = {path: path.stat().st_mtime_ns for path in quickstart.folder.rglob("part-*")}
    done = run_in(quickstart.folder.parent, quickstart.cvr, "quickstart")
    assert done.returncode == 0, done.stderr[-4000:]
    assert {path: path.stat().st_mtime_ns for path in quickstart.folder.rglob("part-*")} == before


def test_the_dataset_loads_without_our_help(quickstart):
    import datasets

    parts = str(quickstart.folder / "annotations" / "quickstart" / "part-*.parquet")
    loaded = datasets.load_dataset("parquet", data_files=parts, cache_dir=str(quickstart.folder / "cache"))
    assert loaded["train"].num_rows == open_artifact(quickstart.folder / "annotations" / "quickstart").manifest["rows"]


def test_bench_without_data_scores_on_the_triplets_built_last(quickstart):
    done = quickstart.command("bench", "--model", "random", "--out", "again")
    assert done.returncode == 0, done.stderr
    assert "annotations/quickstart" in done.stdout + done.stderr


def test_publish_can_be_tried_without_a_token(quickstart):
    done = quickstart.command("publish", "annotations/quickstart", "--repo", "somebody/quickstart", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "somebody/quickstart" in done.stdout
