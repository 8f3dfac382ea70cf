"""What cvr wrote at commit 43be64f is read as it was, or refused in one line that says what makes it again.

tests/old/43be64f.tar.xz has one of each kind of folder and file; their manifests tell the commands that wrote them. A
stage whose VERSION was raised since refuses to go on in such a folder; what reads it reads it.
"""

import json
import re
import shlex
import tarfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cvr_data.core.artifacts import open_artifact, verify
from tests.tiny_language_models import save_language_model, save_vision_language_model

pytestmark = pytest.mark.slow
ARCHIVE = Path(__file__).parent / "old" / "43be64f.tar.xz"
WAY_OUT = re.compile(r"--overwrite|cvr [a-z]+(-[a-z]+)*|run it again|its command again")
"""What a refusal names: an option, or a command."""


def folders() -> list[str]:
    with tarfile.open(ARCHIVE) as archive:
        paths = [Path(name).relative_to("43be64f") for name in archive.getnames()]
    return sorted(str(path.parent) for path in paths if path.name == "manifest.json")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("old")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(place, filter="data")
    save_language_model(place / "lm")
    save_vision_language_model(place / "vlm")
    return place / "43be64f"


@pytest.fixture(autouse=True)
def old(unpacked, monkeypatch) -> Path:
    """The folder of old files, which is the current one; what a test writes goes to new/."""
    monkeypatch.chdir(unpacked)
    return unpacked


@pytest.fixture
def read_or_refused(cvr):
    """Run a command; it works and returns what it printed, or ends in one line that says what to do, and None."""

    def run(*words: str) -> str | None:
        outcome = cvr(*words)
        if outcome.code == 0:
            return outcome.out
        lines = [line for line in outcome.err.splitlines() if line.startswith("cvr: ")]
        assert (outcome.code, len(lines)) == (2, 1), outcome
        assert WAY_OUT.search(lines[0].removeprefix("cvr: ")), lines
        return None

    return run


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_folder_is_whole(cvr):
    assert cvr.done("verify", *folders()).out.count(", good") == len(folders())


@pytest.mark.parametrize("folder", folders())
def test_a_folder_is_read_and_its_own_command_finds_it_or_refuses(read_or_refused, folder, old):
    artifact = open_artifact(folder)
    listed = artifact.read().num_rows if artifact.part_paths else artifact.manifest["rows"]
    assert listed == artifact.manifest["rows"]
    assert artifact.dropped().num_rows == sum(artifact.manifest["dropped"].values())
    before = content(Path(folder))
    command = re.sub(r"/tmp/\w+/(v?lm)", rf"{old.parent}/\1", artifact.manifest["command"])
    if folder == "embeddings-imported":
        assert read_or_refused(*shlex.split("export-embeddings embeddings-merged --layout npz --out features-npz"))
    found = read_or_refused(*shlex.split(command)[1:])
    if folder == "query-features":  # is written anew each time
        assert found and verify(Path(folder)) == []
    else:
        assert content(Path(folder)) == before


READERS = """
trace annotations/old
trace results/combiner-old
stats annotations/old --html new/stats.html
stats annotations/judged
sample modifications/rules
sample modifications/scored
sample modifications/transformers
why-not train-00000 train-00001 --in pairs
diff annotations/plain annotations/old --results results
compare results/combiner-old results/sum-old
compare --protocols results/sum-old
report results/sum-old results/combiner-old results/fdca-old --timings timings.json --out new/report.html
two-way results/sum-old
review-report reviews/old.sqlite
split videos --embeddings embeddings --keep videos-split --out new/kept
mine-pairs videos-kept --embeddings embeddings --out new/pairs
mine-pairs videos-described --out new/pairs-described --filter none
generate-modifications pairs --style paraphrase --from modifications/rules --llm echo --cache r.sqlite --out new/again
score-modifications modifications/rules --cache requests.sqlite --out new/scored
truth-modifications pairs --out new/truth
build-triplets modifications/rules modifications/scored modifications/dense --out new/built --embeddings embeddings
build-triplets modifications/rules --judgments judgments --out new/judged
mine-distractors annotations/old videos --embeddings embeddings --out new/distractors
frame-scores annotations/old --embeddings embeddings --out new/frame-scored
merge embeddings-0 embeddings-1 --out new/merged
fit-heads embeddings-merged --from embeddings
export-embeddings embeddings --layout pth --out new/pth
check-media annotations/there --out media-check
audit annotations/plain --out new/audit
audit results/fdca-old
bench --model sum --data annotations/imported --embeddings embeddings --no-audit --out new/results
bench --model sum --data export --embeddings embeddings --no-audit --out new/results
encode-queries --model combiner --checkpoint results/combiner-old --data annotations/old --out new/features
score query-features --data annotations/old
export annotations/old --format webvid-covr --out new/export
export annotations/rendered --format mteb-vt2v --out new/mteb
publish annotations/old --repo me/old --dry-run
train-generator modifications/rules --model generator -o epochs=1 -o batch_size=2 -o device=cpu --out new/generator
run recipe.yaml
"""


@pytest.mark.parametrize("command", READERS.strip().splitlines())
def test_what_reads_old_files_reads_them_or_says_what_makes_them_again(read_or_refused, command):
    said = read_or_refused(*command.split())
    assert said is None or "Traceback" not in said


def test_an_old_triplet_and_an_old_query_are_explained(read_or_refused):
    row = next(row for row in open_artifact("annotations/old").read().to_pylist() if row["split"] == "test")
    assert row["modification"] in read_or_refused("explain", row["triplet_id"], "--in", "annotations/old")
    for result in ("results/sum-old", "results/combiner-old"):
        assert row["modification"] in read_or_refused("explain-query", row["query_id"], "--in", result)


SMALL = "-o projection=4 -o hidden=4"


@pytest.mark.parametrize(
    ("model", "old_result", "options"),
    [
        ("sum", "results/sum-old", ""),
        ("sum", "results/with-distractors/sum-old", "--distractors distractors"),
        ("combiner", "results/checked/combiner-old", f"--checkpoint results/combiner-old {SMALL}"),
        ("combiner", "results/combiner-old", f"--checkpoint results/combiner-old/training {SMALL}"),
        ("fdca", "results/fdca-old", "--checkpoint results/fdca-old -o width=8 -o heads=2"),
    ],
)
def test_old_data_and_weights_give_the_old_ranks(cvr, model, old_result, options, tmp_path):
    words = f"bench --model {model} --data annotations/old --no-audit {options} --out".split()
    cvr.done(*words, tmp_path)
    found, before = (pq.read_table(f / "ranks.parquet") for f in (tmp_path / f"{model}-old", Path(old_result)))
    for column in ("query_id", "target_ids", "target_ranks", "rank", "ties", "allowed", "top"):
        assert found.column(column).to_pylist() == before.column(column).to_pylist(), column


def test_old_judgments_are_exported_as_they_were(read_or_refused, tmp_path):
    assert read_or_refused("export-judgments", "reviews/old.sqlite", "--out", str(tmp_path / "judgments"))
    assert open_artifact(tmp_path / "judgments").read().equals(open_artifact("judgments").read())


@pytest.mark.parametrize(
    ("folder", "said"),
    [("modifications/transformers", "0 requests asked, 2 answered by the cache"), ("videos-described", "6 videos")],
)
def test_old_answers_are_found_in_the_request_cache(read_or_refused, old, tmp_path, folder, said):
    before = open_artifact(folder)
    command = re.sub(r"/tmp/\w+/(v?lm)", rf"{old.parent}/\1", before.manifest["command"])
    found = read_or_refused(*command.split()[1:-1], str(tmp_path / "texts"))
    assert found and said in found
    columns = ["raw", "status"] if "raw" in before.read().column_names else ["video_id", "description_raw"]
    assert open_artifact(tmp_path / "texts").read(columns).equals(before.read(columns))


def test_an_unfinished_import_is_kept_and_refused_and_begins_anew_if_told(cvr, one_line_error):
    clips = content(Path("unfinished/videos/media"))
    options = "-o train=12 -o val=0 -o test=0 -o size=32 -o workers=1"
    words = ["import", "synthetic", "--out", "unfinished/videos", *options.split()]
    assert "use --overwrite or another --out" in one_line_error(*words)
    assert clips and content(Path("unfinished/videos/media")) == clips
    cvr.done(*words, "--overwrite")
    assert open_artifact("unfinished/videos").manifest["rows"] == 12
    assert verify(Path("unfinished/videos")) == []


def test_an_unfinished_training_is_kept_and_refused(one_line_error):
    before = content(Path("unfinished/combiner-old"))
    options = f"{SMALL} -t epochs=400 -t batch_size=4 -t patience=0 --no-audit --out unfinished"
    line = one_line_error("bench", "--model", "combiner", "--data", "annotations/old", *options.split())
    assert "use --overwrite or another --out" in line
    assert content(Path("unfinished/combiner-old")) == before


def test_what_could_not_be_fetched_is_remembered(cvr):
    words = "download annotations mine --urls corpora/urls.csv --attempts 1 --out downloaded --dry-run --json".split()
    outcome = cvr(*words)
    assert outcome.code in (0, 1) and json.loads(outcome.out), outcome
