"""The estimate on the progress line: nothing before a batch was measured, then the pace of the last while."""

import pytest

from cvr_data.core.progress import BURST_S, WINDOW_S, Pace, Progress, progress_line


def paced(*batches):
    pace = Pace()
    for end_s, count in batches:
        pace.add(count, end_s)
    return pace


def test_nothing_is_known_before_the_second_batch_has_ended():
    assert paced().rate is None
    assert paced((100.0, 32)).rate is None


def test_what_is_done_once_before_the_first_batch_is_no_time_of_rows():
    """The shared prompt is read for 100 s, then 32 rows take 4 s."""
    assert paced((100.0, 32), (104.0, 32), (108.0, 32)).rate == 8.0


def test_rows_of_one_batch_that_are_told_one_by_one_are_one_batch():
    told = [(100 + row / 1000, 1) for row in range(32)]
    assert BURST_S > 0.032 and paced(*told).rate is None
    again = [(104 + row / 1000, 1) for row in range(32)]
    assert paced(*told, *again).rate == 8.0


def test_a_batch_whose_first_row_is_told_is_not_a_batch_of_one_row():
    """The line is drawn at the first row of a batch: 31 videos, and 65 s later one, were told as 0.0 videos/s."""
    assert paced((35.0, 31), (100.0, 1)).rate is None
    assert paced((35.0, 32), (100.0, 1), (100.01, 31), (164.0, 1)).rate == 32 / 65


def test_the_rate_is_that_of_the_last_while():
    slow = [(10.0 * batch, 10) for batch in range(1, 11)]
    assert paced(*slow).rate == 1.0
    fast = [(100 + second, 10) for second in range(1, int(WINDOW_S) + 1)]
    assert paced(*slow, *fast).rate == 10.0


def test_batches_longer_than_the_window_have_a_rate():
    assert paced((100.0, 5), (200.0, 5), (300.0, 10)).rate == 0.1


def test_rows_that_took_no_work_do_not_make_the_rate():
    progress = Progress("write", 100)
    progress.skip(80, "80 from the cache")
    assert progress.done == 80 and progress.pace.rate is None and progress.pace.worked == 0
    progress.advance(5)
    assert progress.done == 85 and progress.pace.worked == 5


@pytest.mark.parametrize(
    ("rate", "left", "expected"),
    [
        (None, 200, "write 40/240 rows, 33 s so far, 7 from the cache"),
        (4.0, 200, "write 40/240 rows, 4.0 rows/s, 50 s left, 7 from the cache"),
        (4.0, 0, "write 40/240 rows, 4.0 rows/s, 33 s so far, 7 from the cache"),
    ],
)
def test_without_a_rate_there_is_no_estimate(rate, left, expected):
    assert progress_line("write 40/240 rows", left, 33.0, rate, "rows", "7 from the cache") == expected


def test_hours_and_minutes_are_told_as_such():
    assert progress_line("x", 7200, 1.0, 1.0, "rows", "") == "x, 1.0 rows/s, 2 h 00 min left"
    assert progress_line("x", 90, 1.0, 1.0, "rows", "") == "x, 1.0 rows/s, 1 min 30 s left"


def test_a_rate_below_one_is_not_told_as_zero():
    assert progress_line("x", 6, 1.0, 0.034, "rows", "") == "x, 0.034 rows/s, 2 min 56 s left"
    assert progress_line("x", 6, 1.0, 0.999, "rows", "") == "x, 1.0 rows/s, 6 s left"


def test_the_last_line_is_written_once(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("cvr_data.core.progress.time.monotonic", lambda: now[0])
    with Progress("embed", 181, "texts") as progress:
        now[0] = 64.0
        progress.advance(181)
    assert capsys.readouterr().err == "embed 181/181 texts, 2.8 texts/s, 1 min 04 s so far\n"
