"""A command on several devices: where its processes stand, and that two give the result of one."""

import json

import pytest
from safetensors.torch import load_file
from torch.testing import assert_close

from cvr_bench.results.result import read_result
from cvr_bench.training.launch import Place, training_process_place_given, training_process_places
from cvr_data.core.errors import CvrError

STEP = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_JOB_ID": "20007"}


def test_processes_of_torchrun_are_taken_as_they_are():
    found = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "head", "MASTER_PORT": "29511"}
    assert (
        training_process_place_given(found, 1)
        == training_process_place_given(found, 4)
        == Place(3, 4, 1, "head", 29511)
    )
    with pytest.raises(CvrError, match="--devices times --nodes is 8, but 4 processes were started"):
        training_process_place_given(found, 8)


@pytest.mark.parametrize(
    ("nodes", "first"), [("n[07-08,11]", "n07"), ("alpha,beta", "alpha"), ("gpu3", "gpu3"), ("a[1,4]-ib,c", "a1")]
)
def test_tasks_of_slurm_find_the_first_node(nodes, first):
    place = training_process_place_given({**STEP, "SLURM_STEP_NODELIST": nodes}, 4)
    assert place == Place(3, 4, 1, first, 10_007)


def test_a_slurm_step_of_other_tasks_is_not_taken_for_ours():
    assert training_process_place_given({**STEP, "SLURM_STEP_NODELIST": "n1"}, 2) is None
    assert training_process_place_given(STEP, 1) is None


def test_one_node_starts_a_process_per_device():
    places = training_process_places({}, devices=2, nodes=1)
    assert [(place.rank, place.local_rank, place.world_size) for place in places] == [(0, 0, 2), (1, 1, 2)]
    assert {place.address for place in places} == {"127.0.0.1"}


def test_several_nodes_are_told_apart_by_variables_or_by_slurm():
    told = {"MASTER_ADDR": "head", "MASTER_PORT": "2000", "NODE_RANK": "1"}
    assert training_process_places(told, devices=2, nodes=2)[1] == Place(3, 4, 1, "head", 2000)
    slurm = {**STEP, "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1", "SLURM_STEP_NODELIST": "n[1-2]"}
    assert training_process_places(slurm, devices=8, nodes=2)[0] == Place(8, 16, 0, "n1", 10_007)
    with pytest.raises(CvrError, match="MASTER_ADDR, MASTER_PORT and NODE_RANK"):
        training_process_places({}, devices=2, nodes=2)


@pytest.mark.slow
def test_two_devices_train_and_score_as_one_does(cvr, world, tmp_path):
    """Eighteen queries are evaluated in two shares; batches of eight are of four and four, in chunks of two."""
    words = [
        "bench", "-m", "combiner", "-d", world.triplets, "--no-audit", "--log-every", "2", "-t", "batch_size=8",
        "-t", "epochs=2", "-o", "projection=8", "-o", "hidden=8", "-o", "dropout=0",
    ]  # fmt: skip
    cvr.done(*words, "--out", tmp_path / "one")
    cvr.done(*words, "--out", tmp_path / "two", "--devices", "2", "-t", "chunk_size=2")
    one, two = (tmp_path / name / "combiner-tiny" for name in ("one", "two"))
    expected = load_file(one / "training/model.safetensors")
    for name, tensor in load_file(two / "training/model.safetensors").items():
        assert_close(tensor, expected[name], rtol=1e-3, atol=1e-5)
    logs = [(path / "training/training-steps.csv").read_text() for path in (one, two)]
    assert [line.split(",")[0] for line in logs[0].split()] == [line.split(",")[0] for line in logs[1].split()]
    found = [read_result(path) for path in (one, two)]
    assert json.dumps(found[0].record["metrics"]) == json.dumps(found[1].record["metrics"])
