"""A Ray of two nodes and three workers: a worker killed, a node added, the driver killed and started again."""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.tables import VIDEOS
from tests.dataset_folders import bytes_of

DRIVER = """
import sys
sys.path.insert(0, {root!r})
import pyarrow as pa
import cli
from cvr_data.core import parts, runner
from cvr_data.pairs.strategies import one_word
parts.PART_VALUES, runner.CLAIMS, one_word.BUCKET_VALUES = 150, 1000, 60
if __name__ == "__main__":
    code = cli.run(sys.argv[1:])
    print(pa.default_memory_pool().max_memory())
    sys.exit(code)
"""
WORDS = (["a", "one"], ["red", "blue", "old"], ["dog", "cat", "man"], ["runs", "sits"], ["here", "there"])
WAIT_S = 120
SILENT = 3000
"""Videos that are in no pair, with captions so long that a table of them is some megabytes."""


def write_videos(folder):
    at = random.Random(0)
    texts = [f"{' '.join(words)} {number}" for number in range(2) for words in itertools.product(*WORDS)]
    texts += [" ".join(at.choices("on in at by of to as up".split(), k=250)) for _ in range(SILENT)]
    rows = [{"video_id": f"v{n:05d}", "captions": [text], "source": "test"} for n, text in enumerate(texts)]
    table = pa.Table.from_pylist(rows, schema=pa.schema(list(VIDEOS)[:3]))
    with ArtifactWriter(folder, stage="import-test") as writer:
        for index, start in enumerate(range(0, len(rows), 100)):
            writer.write_part(index, table.slice(start, 100))
        writer.finish()
    return table.nbytes


def driver(folder, out, *options):
    script = DRIVER.format(root=str(Path(__file__).parents[3]))
    words = ["mine-pairs", folder, "-O", out, "--filter", "min-words", "--filter", "caption-cap:most=3", *options]
    return subprocess.Popen([sys.executable, "-c", script, *map(str, words)], stdout=subprocess.PIPE, text=True)


def wait_until(is_so):
    """Return what a call gives once that is true, and fail after a while."""
    ends = time.monotonic() + WAIT_S
    while not (found := is_so()):
        assert time.monotonic() < ends, "nothing happened"
        time.sleep(0.005)
    return found


def workers_at_a_job():
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            found += [process] if process.cmdline()[:1] and process.cmdline()[0].startswith("ray::cvr ") else []
        except psutil.Error:
            continue
    return found


@pytest.mark.engine
def test_a_killed_worker_a_new_node_and_a_killed_driver_lose_nothing_and_no_table_passes_the_driver(tmp_path):
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    from ray.cluster_utils import Cluster

    size = write_videos(tmp_path / "videos")
    here = driver(tmp_path / "videos", tmp_path / "here")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=2)
        on_ray = ("--engine", "ray", "--ray-address", cluster.address, "--workers", "3")
        out = tmp_path / "ray"
        first = driver(tmp_path / "videos", out, *on_ray)
        wait_until(workers_at_a_job)[0].kill()
        cluster.add_node(num_cpus=1)
        done = len([*out.rglob("*.json")])
        wait_until(lambda: len([*out.rglob("*.json")]) > done + 3)
        assert first.poll() is None
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        first.stdout.close()
        kept = {path: path.stat().st_mtime_ns for path in out.rglob("*.arrow")}
        second = driver(tmp_path / "videos", out, *on_ray)
        printed, _ = second.communicate(timeout=WAIT_S)
        assert second.returncode == 0
    finally:
        cluster.shutdown()
    alone, _ = here.communicate(timeout=WAIT_S)
    assert here.returncode == 0
    assert bytes_of(out) == bytes_of(tmp_path / "here")
    assert verify(out) == []
    assert kept and open_artifact(out).manifest["rows"] > 0
    assert int(printed.split()[-1]) < size / 10 < int(alone.split()[-1])  # Arrow's memory at its peak
