"""The runner: whatever the input is cut into, wherever it runs and whatever is killed, the same bytes and counts."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from cvr_data.core import parts, runner
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.core.counts import Counts
from cvr_data.core.engine import Engine
from cvr_data.core.errors import CvrError
from cvr_data.core.jobs import use_engine
from cvr_data.core.runner import StageRun
from cvr_data.core.stage_jobs import Done
from cvr_data.core.stages import Side, Step, StepCount
from tests.cvr_data.core import runner_steps
from tests.cvr_data.core.runner_steps import CAPPED, LONG, REPEATED, ROWS

pytestmark = pytest.mark.slow

LETTERS = "abcd"


def rows_of(seed, count=60):
    """Rows with few different words, so that many meet."""
    at = random.Random(seed)
    words = ["".join(at.choices(LETTERS, k=at.randint(1, 3))) for _ in range(2 * count)]
    return [
        {"row_id": f"r{n:03d}", "word": word, "other": other}
        for n, (word, other) in enumerate(zip(words[::2], words[1::2], strict=True))
    ]


def write(folder, rows, size):
    with ArtifactWriter(folder, stage="numbers") as writer:
        for index, start in enumerate(range(0, max(len(rows), 1), size)):
            writer.write_part(index, pa.Table.from_pylist(rows[start : start + size], schema=ROWS))
        writer.finish()
    return folder


def run(out, source, steps=(LONG, CAPPED, REPEATED), *, overwrite=False, with_letters=True):
    with StageRun(out, stage="steps", version=1, config={}, inputs={"rows": source}, overwrite=overwrite) as made:
        flow = made.read(source, ["row_id", "word", "other"], required=["row_id"])
        if with_letters:
            letters = made.side(
                made.read(source).then(
                    Step(name="letters", run=runner_steps.letters_of, makes_rows=True, is_counted=False)
                ),
                runner_steps.load_letters,
            )
            flow = flow.then(Step(name="count", run=runner_steps.count_letters, sides=(letters,), is_counted=False))
        for step in steps:
            flow = flow.then(step)
        return made.write(flow, ROWS, sort_by=("row_id",))


def expected(rows):
    """What the three steps leave, and why the others go, by plain reading."""
    dropped = {row["row_id"]: "long_word" for row in rows if len(row["word"]) > 2}
    left = [row for row in rows if row["row_id"] not in dropped]
    claims: Counter[str] = Counter()
    for row in sorted(left, key=lambda row: row["row_id"]):
        names = [row["word"], row["other"]]
        if any(claims[name] + (place and names[0] == name) >= 2 for place, name in enumerate(names)):
            dropped[row["row_id"]] = "cap"
        claims.update(names)
    seen = set()
    for row in sorted((row for row in left if row["row_id"] not in dropped), key=lambda row: row["row_id"]):
        if row["word"] in seen:
            dropped[row["row_id"]] = "repeated_word"
        seen.add(row["word"])
    return {row["row_id"]: dropped.get(row["row_id"]) for row in rows}


def verdicts(folder):
    kept = {row_id: None for row_id in open_artifact(folder).read(["row_id"])["row_id"].to_pylist()}
    return kept | {row["row_id"]: row["drop_reason"] for row in open_artifact(folder).dropped().to_pylist()}


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(parts, "PART_VALUES", 8)
    monkeypatch.setattr(runner, "CLAIMS", 16)


@pytest.mark.parametrize("seed", range(4))
def test_every_row_gets_the_verdict_of_a_plain_reading_whatever_the_parts(seed, tmp_path):
    rows = rows_of(seed)
    run(tmp_path / "out", write(tmp_path / "in", rows, 7))
    assert verdicts(tmp_path / "out") == expected(rows)
    assert {*expected(rows).values()} == {None, "long_word", "cap", "repeated_word"}


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_the_cut_of_the_input_changes_no_byte_of_what_is_kept_and_no_count(size, tmp_path):
    one = run(tmp_path / "one", write(tmp_path / "in", rows_of(0), 60))
    other = run(tmp_path / "other", write(tmp_path / "cut", rows_of(0), size))
    assert {name: digest for name, digest in one.manifest["files"].items() if "part" in name} == {
        name: digest for name, digest in other.manifest["files"].items() if "part" in name
    }
    assert one.manifest["funnel"] == other.manifest["funnel"]
    assert verdicts(tmp_path / "one") == verdicts(tmp_path / "other")


def test_the_funnel_adds_up_and_nothing_is_left_behind(tmp_path):
    made = run(tmp_path / "out", write(tmp_path / "in", rows_of(1), 9))
    funnel = made.manifest["funnel"]
    assert [step["step"] for step in funnel] == ["long", "capped", "repeated"]
    assert funnel[0]["in"] == 60
    assert all(step["in"] == step["out"] + sum(step["dropped"].values()) for step in funnel)
    assert all(before["out"] == after["in"] for before, after in pairwise(funnel))
    assert made.manifest["rows"] == funnel[-1]["out"] == made.read().num_rows
    assert sum(made.manifest["dropped"].values()) == made.dropped().num_rows
    assert verify(tmp_path / "out") == []
    assert {path.name[:4] for path in (tmp_path / "out").iterdir()} == {"part", "drop", "mani"}
    assert {row["drop_step"] for row in made.dropped().to_pylist()} == {0, 1, 2}


def test_a_bucket_of_crowded_keys_is_shared_by_several_jobs(tmp_path):
    rows = [{**row, "word": row["word"][:1]} for row in rows_of(5)]  # four words of 15 rows
    source = write(tmp_path / "in", rows, 9)
    few = replace(REPEATED, bucket_values=1)
    made = run(tmp_path / "out", source, (few,))
    firsts = {row["word"]: row["row_id"] for row in reversed(rows)}
    assert sorted(made.read()["row_id"].to_pylist()) == sorted(firsts.values())
    assert made.manifest["dropped"] == {"repeated_word": len(rows) - len(firsts)}
    assert len(made.part_paths) > 60  # one for each row, and more where buckets were shared


@pytest.mark.parametrize("kind", ["local", pytest.param("ray", marks=pytest.mark.engine)])
def test_two_processes_write_the_same_bytes(kind, tmp_path):
    if kind == "ray":
        pytest.importorskip("ray", reason="the extra `ray` is not installed")
    source = write(tmp_path / "in", rows_of(2), 20)
    run(tmp_path / "here", source)
    with use_engine(Engine(kind, 2)):
        run(tmp_path / "pool", source)
    assert files_of(tmp_path / "pool") == files_of(tmp_path / "here")


def test_a_worker_that_is_killed_loses_nothing(tmp_path):
    source = write(tmp_path / "in", rows_of(3), 20)
    config = runner_steps.Config(marker=tmp_path / "killed")
    run(tmp_path / "here", source, (LONG, REPEATED))
    with use_engine(Engine("local", 2)):
        run(tmp_path / "pool", source, (LONG, REPEATED, Step(name="die", run=runner_steps.die_once, config=config)))
    assert (tmp_path / "killed").exists()
    assert open_artifact(tmp_path / "pool").read().equals(open_artifact(tmp_path / "here").read())


COMMAND = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from cvr_data.core import parts, runner
parts.PART_VALUES, runner.CLAIMS = 8, 16
from tests.cvr_data.core.test_runner import run
if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("files", [1, 4, 9, 14, 20, 26])
def test_a_run_that_is_killed_anywhere_goes_on_to_the_same_bytes(files, tmp_path):
    source = write(tmp_path / "in", rows_of(1), 9)
    run(tmp_path / "whole", source)
    root = str(Path(__file__).parents[3])
    command = [sys.executable, "-c", COMMAND.format(root=root), str(tmp_path / "out"), str(source)]
    process = subprocess.Popen(command)
    while process.poll() is None and len([*(tmp_path / "out").rglob("*.json")]) < files:
        time.sleep(0.0005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    run(tmp_path / "out", source)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")
    assert verify(tmp_path / "out") == []
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def interrupted(out, source):
    """Leave a run at its last step, all earlier passes being done."""
    with pytest.raises(RuntimeError, match="given"):
        run(out, source, (LONG, CAPPED, REPEATED, Step(name="lose", run=runner_steps.lose_one)))


@pytest.mark.parametrize("damage", ["cut", "edited", "gone", "note"])
def test_what_was_damaged_meanwhile_is_made_again(damage, tmp_path):
    source = write(tmp_path / "in", rows_of(1), 9)
    run(tmp_path / "whole", source)
    interrupted(tmp_path / "out", source)
    for path in [*(tmp_path / "out").rglob("*.arrow"), *(tmp_path / "out").glob("dropped-*")]:
        content = path.read_bytes()
        if damage == "cut":
            path.write_bytes(content[: len(content) // 2])
        elif damage == "edited":
            path.write_bytes(content[:-20] + b"x" * 20)
        elif damage == "gone":
            path.unlink()
    if damage == "note":
        for path in (tmp_path / "out").rglob("0*.json"):
            path.write_bytes(path.read_bytes()[:50])
    run(tmp_path / "out", source)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_what_is_finished_is_not_done_again(tmp_path):
    source = write(tmp_path / "in", rows_of(1), 9)
    interrupted(tmp_path / "out", source)
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.arrow")}
    assert len(stamps) > 5
    interrupted(tmp_path / "out", source)
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_a_step_that_loses_a_row_is_named(tmp_path):
    source = write(tmp_path / "in", rows_of(0), 60)
    with pytest.raises(RuntimeError, match=r"The step 'lose' was given \d+ rows and returned \d+"):
        run(tmp_path / "out", source, (LONG, Step(name="lose", run=runner_steps.lose_one)), with_letters=False)


def test_counts_that_do_not_add_up_stop_the_run():
    counts = Counts()
    counts.add([LONG, REPEATED], [Done((StepCount(3, 2, Counter(long_word=1)), StepCount(2, 1)), 1)])
    with pytest.raises(RuntimeError, match="The step 'repeated' got 2 rows, kept 1 and dropped 0"):
        counts.funnel()


def test_a_full_disk_is_one_line_on_every_engine(tmp_path):
    source = write(tmp_path / "in", rows_of(0), 60)
    full = Step(name="full", run=runner_steps.fill_the_disk)
    for engine in (Engine(), Engine("local", 2)):
        with use_engine(engine), pytest.raises(CvrError, match=r"The disk is full, .*: cannot write"):
            run(tmp_path / "out", source, (full,), with_letters=False)


def test_two_runs_in_one_folder_are_refused_in_one_line(tmp_path):
    source = write(tmp_path / "in", rows_of(0), 60)
    with StageRun(tmp_path / "out", stage="steps", version=1, config={}, inputs={"rows": source}, overwrite=False):
        with pytest.raises(CvrError, match=rf"out is being written by process {os.getpid()} on .*; wait until it ends"):
            run(tmp_path / "out", source)
    assert run(tmp_path / "out", source).manifest["rows"] > 0


def test_an_input_that_was_cut_off_is_one_line(tmp_path):
    source = write(tmp_path / "in", rows_of(0), 60)
    part = source / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-30])
    with pytest.raises(CvrError, match=r"part-00000.parquet has changed since it was written; make it again"):
        run(tmp_path / "out", source)


def test_no_rows_are_an_artifact_with_columns(tmp_path):
    made = run(tmp_path / "out", write(tmp_path / "in", [], 60))
    assert (made.manifest["rows"], made.read().column_names[:3]) == (0, ROWS.names)


def test_tables_that_come_one_by_one_rest_for_two_readers(tmp_path):
    tables = [pa.Table.from_pylist(rows_of(seed), schema=ROWS) for seed in range(3)]
    with StageRun(tmp_path / "out", stage="made", version=1, config={}, inputs={}, overwrite=False) as made:
        flow = made.rested(made.made("tables", lambda: iter(tables)).then(LONG))
        letters = made.side(
            flow.then(Step(name="words", run=runner_steps.letters_of, is_counted=False)), runner_steps.load_letters
        )
        count = Step(name="count", run=runner_steps.count_letters, sides=(letters,), is_counted=False)
        made.write_parts(flow.then(count), ROWS)
        made.writer.write_file("notes.txt", b"of the whole")
        artifact = made.finish(reader="both")
    kept = [row for table in tables for row in table.to_pylist() if len(row["word"]) <= 2]
    assert artifact.read(ROWS.names).to_pylist() == kept
    assert artifact.manifest["reader"] == "both"
    assert artifact.manifest["funnel"] == [
        {"step": "long", "in": 180, "out": len(kept), "dropped": {"long_word": 180 - len(kept)}}
    ]
    counted = artifact.read(["letter_rows"]).column(0).to_pylist()
    assert counted == [sum(other["word"][0] == row["word"][0] for other in kept) for row in kept]
    assert "notes.txt" in artifact.manifest["files"]
    assert verify(tmp_path / "out") == []


def test_a_side_is_loaded_once_in_a_process():
    from cvr_data.core.stage_jobs import _loaded_side

    side = Side(len, ("four",))
    assert (_loaded_side(side, "key"), _loaded_side(side, "key")) == (4, 4)
    assert _loaded_side.cache_info().hits >= 1
