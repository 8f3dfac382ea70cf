"""Results of published benchmarks are audited as others are, as far as their queries have both inputs."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cvr_bench.benchmarks import BENCHMARKS
from cvr_bench.data.sources import sample_data_folder
from cvr_data.features.embed import embed
from cvr_data.features.encoders import ENCODERS
from cvr_data.tables import VIDEOS
from tests.dataset_folders import write_artifact

SAMPLES = sample_data_folder() / "samples"


@pytest.fixture
def features(tmp_path, monkeypatch):
    """A function that writes features of the videos it is given, in the current folder."""

    def write(names):
        rows = [{"video_id": name, "captions": ["x"], "source": "sample"} for name in names]
        write_artifact(tmp_path / "videos", "import-sample", rows, VIDEOS)
        embed(tmp_path / "videos", "hash", ENCODERS.get("hash").Config(dim=16, frames=2), tmp_path / "embeddings")

    monkeypatch.chdir(tmp_path)
    return write


def bench(cvr, name, *words):
    data = ["--data", name, "-D", f"annotations={SAMPLES / name}", "-D", "counts=any", "-e", "embeddings"]
    outcome = cvr.done("bench", "--model", "sum", *data, *words)
    return outcome.out


def test_a_benchmark_with_several_targets_is_audited_at_once_and_later(cvr, features):
    features([str(number) for number in range(101, 108)])
    printed = bench(cvr, "circo")
    folder = Path("results/sum-circo/audit")
    at_once = pq.read_table(folder / "composition.parquet")
    assert at_once.column("query_id").to_pylist() == ["0", "1"]
    assert {len(targets) for targets in at_once.column("target_ids").to_pylist()} == {1, 2}
    assert "composition required @1" in printed
    assert json.loads((folder / "audit.json").read_text(encoding="utf-8"))["leaks"] is None
    cvr.done("audit", "results/sum-circo", "--overwrite")
    assert pq.read_table(folder / "composition.parquet").equals(at_once)


def test_text_to_video_queries_have_no_reference_to_leave_out(cvr, features):
    names = (SAMPLES / "msrvtt/MSRVTT_JSFUSION_test.csv").read_text(encoding="utf-8").splitlines()[1:]
    features([line.split(",")[2] for line in names])
    printed = bench(cvr, "msrvtt")
    audit = json.loads(Path("results/sum-msrvtt/audit/audit.json").read_text(encoding="utf-8"))
    assert audit["composition"] == {"skipped": "its queries have no reference video"}
    assert audit["temporal"]["frames"]["most"] == 2
    assert not audit["temporal"]["reads_order"]
    assert "composition" not in printed
    assert "temporal gap" in printed


@pytest.mark.parametrize("texts", ["captions", "sets"])
def test_a_gallery_of_texts_has_no_frames_to_change_and_its_references_do(cvr, features, texts):
    component = BENCHMARKS.get("msvd")
    config = component.Config(annotations=SAMPLES / "msvd", direction="video-to-text", texts=texts, counts="any")
    features(sorted({query.reference.video.video_id for query in component.load(config).queries}))
    bench(cvr, "msvd", "-D", "direction=video-to-text", "-D", f"texts={texts}")
    (path,) = Path("results").glob("*/audit/audit.json")
    audit = json.loads(path.read_text(encoding="utf-8"))
    assert audit["composition"] == {"skipped": "its queries have no text"}
    assert audit["temporal"]["frames"]["most"] == 2
    assert not audit["temporal"]["reads_order"]
