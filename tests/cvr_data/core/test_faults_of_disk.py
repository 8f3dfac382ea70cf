"""What disks, clocks and hands do to a run: one line, nothing half-written, and the same bytes once it goes on."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cvr_data.core import parts
from cvr_data.core.errors import CvrError
from cvr_data.core.runner import StageRun
from tests.cvr_data.core.test_runner import files_of, interrupted, rows_of, run, write

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
NOBODY = 65534


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(parts, "PART_VALUES", 8)


@pytest.fixture
def open_folder():
    """A folder whose parents any user may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def write_clips(path):
    draw = random.Random(0)
    texts = [" ".join(draw.choices("red blue dog cat runs sits here there".split(), k=9)) for _ in range(4000)]
    path.write_text("\n".join(["id,caption", *(f"v{n},{text}" for n, text in enumerate(texts))]))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_disk_that_fills_up_is_one_line_and_with_more_room_the_run_goes_on(workers, tmp_path):
    """The system allows files of 20,000 bytes, and later of any size."""
    write_clips(tmp_path / "clips.csv")

    def imported(out, most=resource.RLIM_INFINITY):
        words = ["import", "table", "clips.csv", "-o", "id=id", "-O", out, "--workers", workers]
        return subprocess.run(
            [sys.executable, "-c", "import cli; cli.main()", *words], cwd=tmp_path, capture_output=True, text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY)),
        )  # fmt: skip

    assert imported("whole").returncode == 0
    full = imported("videos", 20_000)
    assert full.returncode == 2
    last = full.stderr.strip().splitlines()[-1]
    assert "The disk is full, or may hold no larger file: cannot write" in last and "run again to resume" in last
    assert not [*(tmp_path / "videos").rglob("*.tmp"), *(tmp_path / "videos").glob("manifest.json")]
    assert imported("videos").returncode == 0
    assert files_of(tmp_path / "videos") == files_of(tmp_path / "whole")


def test_a_folder_that_cannot_be_written_is_one_line(open_folder):
    source = write(open_folder / "in", rows_of(0), 60)
    (open_folder / "shut").mkdir(mode=0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)  # root may write anywhere
    try:
        with pytest.raises(CvrError, match=r"shut.* cannot be written \(Permission denied\); name another --out"):
            run(open_folder / "shut", source)
        with pytest.raises(CvrError, match=r"cannot be written"):
            run(open_folder / "shut" / "out", source)
    finally:
        os.seteuid(user)
    assert not [*(open_folder / "shut").iterdir()]


@pytest.mark.parametrize("year_s", [0, 4_000_000_000], ids=["1970", "2096"])
def test_a_clock_that_jumps_changes_nothing(year_s, tmp_path):
    """Files of the future, or of long ago: what is finished is known by its bytes."""
    source = write(tmp_path / "in", rows_of(1), 9)
    run(tmp_path / "whole", source)
    interrupted(tmp_path / "out", source)
    for path in [*source.rglob("*"), *(tmp_path / "out").rglob("*")]:
        os.utime(path, (year_s, year_s))
    interrupted(tmp_path / "out", source)
    assert {path.stat().st_mtime for path in (tmp_path / "out").rglob("*.arrow")} == {year_s}
    run(tmp_path / "out", source)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-30])


def leave_out_a_row(path):
    pq.write_table(pq.read_table(path).slice(1), path)


@pytest.mark.parametrize("damage", [cut_off, leave_out_a_row, Path.unlink])
@pytest.mark.parametrize("kind", ["part", "dropped"])
def test_a_finished_artifact_that_was_damaged_is_not_taken_for_whole(damage, kind, tmp_path):
    source = write(tmp_path / "in", rows_of(1), 9)
    run(tmp_path / "out", source)
    whole = files_of(tmp_path / "out")
    path = next(path for path in sorted((tmp_path / "out").glob(f"{kind}-*")) if pq.read_metadata(path).num_rows)
    damage(path)
    again = StageRun(tmp_path / "out", stage="steps", version=1, config={}, inputs={"rows": source}, overwrite=False)
    with pytest.raises(CvrError, match=rf"{path.name} (is missing|has changed since it was written); make it again"):
        again.finished()
    run(tmp_path / "out", source, overwrite=True)
    assert files_of(tmp_path / "out") == whole


HOLDER = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from cvr_data.core.artifact_writer import ArtifactWriter
with ArtifactWriter(Path(sys.argv[1]), stage="numbers"):
    print("held", flush=True)
    time.sleep(3600)
"""


def test_a_folder_that_another_process_writes_is_refused_and_free_once_that_is_killed(tmp_path):
    source = write(tmp_path / "in", rows_of(0), 60)
    command = [sys.executable, "-c", HOLDER.format(root=str(ROOT)), str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(CvrError, match=rf"is being written by process {holder.pid} on .*; wait until it ends"):
            run(tmp_path / "out", source, overwrite=True)
        holder.send_signal(signal.SIGKILL)
    assert run(tmp_path / "out", source, overwrite=True).manifest["rows"] > 0
