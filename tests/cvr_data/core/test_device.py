"""One function decides in which type networks multiply: by the hardware, and with a line where it is slow."""

import logging
import threading

import pytest
import torch

from cvr_data.core import device
from cvr_data.core.device import (
    Hardware,
    device_hardware,
    each_torch_batch,
    map_torch_batches,
    slow_device_type,
    torch_device_of,
    torch_dtype_of,
    torch_precision_of,
    torch_type_name,
)
from cvr_data.core.errors import CvrError

CPU = torch.device("cpu")
OLD_CPU = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
PLAIN = Hardware(kind="CPU", fast=frozenset(), lacks="AVX-512 or AMX instructions for it")
AMX = Hardware(kind="CPU", fast=frozenset({"bfloat16"}))
TURING = Hardware(kind="GPU", fast=frozenset({"float16"}), lacks="units for it")
AMPERE = Hardware(kind="GPU", fast=frozenset({"bfloat16", "float16"}))


@pytest.mark.parametrize(
    ("hardware", "expected"), [(PLAIN, "float32"), (AMX, "bfloat16"), (TURING, "float32"), (AMPERE, "bfloat16")]
)
def test_auto_is_bfloat16_where_the_hardware_multiplies_it(hardware, expected):
    assert torch_type_name("auto", hardware) == expected
    assert slow_device_type(expected, hardware) is None


@pytest.mark.parametrize("hardware", [PLAIN, AMX, TURING, AMPERE])
@pytest.mark.parametrize("name", ["bfloat16", "float16", "float32"])
def test_a_type_that_is_asked_for_is_taken_and_a_slow_one_told_in_one_line(hardware, name):
    assert torch_type_name(name, hardware) == name
    line = slow_device_type(name, hardware)
    assert (line is None) == (name == "float32" or name in hardware.fast)
    assert line is None or (line.startswith(f"{name} is slow on this {hardware.kind}") and "\n" not in line)


def test_instructions_that_onednn_is_told_to_leave_out_do_not_count():
    assert device_hardware(CPU, OLD_CPU).fast == frozenset()
    assert (
        device_hardware(CPU, {"ONEDNN_MAX_CPU_ISA": "avx2_vnni_2"}).fast == frozenset()
    )  # converts, multiplies in float32
    assert device_hardware(CPU, {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_AMX"}) == device_hardware(CPU, {})


def test_a_slow_type_is_taken_with_one_warning(monkeypatch, caplog):
    monkeypatch.setattr(device, "_told", set())
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "avx2")
    with caplog.at_level(logging.WARNING):
        assert torch_dtype_of("auto", CPU) == torch.float32 and torch_dtype_of("float32", CPU) == torch.float32
        assert not caplog.records
        for _ in ("frames", "texts"):
            assert torch_dtype_of("bfloat16", CPU) == torch.bfloat16
    assert [record.getMessage() for record in caplog.records] == [slow_device_type("bfloat16", PLAIN)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("auto", "no"), ("no", "no"), ("float32", "no"), ("bf16", "bf16"), ("bfloat16", "bf16")],
)
def test_trainers_are_told_in_the_words_of_accelerate(monkeypatch, name, expected):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert torch_precision_of(name, CPU) == expected


@pytest.mark.parametrize("name", ["fp16", "float16"])
def test_a_cpu_does_not_train_in_float16(name):
    with pytest.raises(CvrError, match="A CPU cannot train in float16"):
        torch_precision_of(name, CPU)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there_is_told_in_one_line(name):
    assert torch_device_of("auto") == CPU
    with pytest.raises(CvrError, match=f"device={name}: this PyTorch sees no GPU"):
        torch_device_of(name)


@pytest.mark.parametrize("at_once", [None, 1, 2, 50])
def test_batches_give_their_results_and_threads_come_back(at_once):
    threads = torch.get_num_threads()
    found = dict(each_torch_batch(lambda batch: batch * 2, range(9), CPU, at_once=at_once))
    assert found == {number: number * 2 for number in range(9)}
    assert map_torch_batches(str, range(9), CPU) == list("012345678") and map_torch_batches(str, [], CPU) == []
    assert torch.get_num_threads() == threads


@pytest.fixture
def two_threads():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def test_a_slow_batch_holds_up_no_other(two_threads):
    others = threading.Event()

    def run(batch):
        assert batch or others.wait(60)
        return batch

    found = []
    for number, _ in each_torch_batch(run, range(5), CPU, at_once=2):
        found.append(number)
        if len(found) == 4:
            others.set()
    assert found[-1] == 0 and sorted(found) == list(range(5))


def test_what_ran_beside_a_batch_that_failed_is_yielded_before_its_error(two_threads):
    both, begun, found = threading.Barrier(2), [], []

    def run(batch):
        begun.append(batch)
        if batch < 2:
            both.wait(60)
        if batch == 0:
            raise ValueError("zero")
        return batch

    with pytest.raises(ValueError, match="zero"):
        for number, _ in each_torch_batch(run, range(9), CPU, at_once=2):
            found.append(number)
    assert set(found) == set(begun) - {0} and 1 in found
