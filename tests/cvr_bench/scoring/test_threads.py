import time

import pytest
import torch

from cvr_bench.scoring.blocks import map_score_blocks, scoring_in_few_threads


def slow_square(number: int) -> tuple[int, int]:
    time.sleep(0.01 * (number % 3))
    return number * number, torch.get_num_threads()


def test_results_come_in_order_from_threads_of_one_core_and_torch_keeps_its_own():
    before = torch.get_num_threads()
    found = list(map_score_blocks(slow_square, range(20), 4))
    assert [square for square, _ in found] == [number * number for number in range(20)]
    assert {threads for _, threads in found} == {1}
    assert torch.get_num_threads() == before


def test_no_more_things_are_made_than_threads_and_one():
    made: list[int] = []
    results = map_score_blocks(slow_square, (made.append(number) or number for number in range(50)), 3)
    next(results)
    assert len(made) <= 4
    results.close()


def test_an_error_of_one_thing_reaches_the_caller():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError):
        list(map_score_blocks(lambda number: 1 // number, [2, 1, 0, 3], 2))
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("width", "is_small"), [(10, True), (1000, False)])
def test_a_small_network_trains_in_one_thread_and_torch_keeps_its_own(width, is_small):
    before = torch.get_num_threads()
    with scoring_in_few_threads(torch.nn.Linear(width, 1001)):
        assert torch.get_num_threads() == (1 if is_small else before)
    assert torch.get_num_threads() == before
