"""Processes that decode: a file that takes too much ends one of them and costs its row; the next file is read."""

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvr_data.media.clip import Clip
from cvr_data.media.decoders import Decoders
from cvr_data.media.limits import Limits
from cvr_data.media.video import UnreadableVideo, read_frames
from tests.odd_media import drawn, write_film

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("film") / "film.mp4")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A picture of 24 million pixels, in few bytes."""
    path = tmp_path_factory.mktemp("large") / "large.png"
    Image.new("RGB", (6000, 4000), (9, 9, 9)).save(path)
    return path


@pytest.fixture
def decoders_of():
    """Make processes of other limits, which are ended with the test."""
    made = []

    def make(**limits):
        made.append(Decoders(Limits(**limits)))
        return made[-1]

    yield make
    for decoders in made:
        decoders.close()


def refused(decoders, path):
    with pytest.raises(UnreadableVideo) as caught:
        decoders.frames(Clip(path), 8, "uniform", None)
    return str(caught.value).removeprefix(f"{path}: "), caught.value.verdict


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"pixels": 96 * 64 - 1}, "too_large: its pictures are 96 x 64 pixels."),
        ({"frames": 23}, "too_large: more than 23 frames."),
        ({"seconds": 1.9}, "too_large: its timestamps span 2 s."),
        ({"returned_bytes": 8 * 96 * 64 * 3 - 1}, "too_large: 8 frames of 6144 pixels are too much at once."),
    ],
)
def test_a_file_beyond_a_limit_is_refused_before_it_is_decoded(decoders_of, film, limits, said):
    assert refused(decoders_of(**limits), film) == (said, "too_large")


def test_a_file_that_takes_too_much_memory_costs_its_row_and_no_other(decoders_of, film, large):
    decoders = decoders_of(memory_bytes=48 << 20)
    assert refused(decoders, large)[0].startswith("cannot be decoded (")
    assert np.array_equal(decoders.frames(Clip(film), 4, "uniform", None)[0], read_frames(film, 4))


def test_a_process_that_shows_no_sign_of_life_is_ended_and_another_goes_on(decoders_of, film, large):
    decoders = decoders_of(silent_s=0.02)
    said = refused(decoders, large)
    assert said == ("cannot be decoded within 0.02 s.", "too_large")
    assert not decoders.free
    decoders.limits = Limits()
    assert len(decoders.frames(Clip(film), 4, "uniform", None)[0]) == 4


def test_a_process_that_does_not_answer_in_time_is_ended(decoders_of, film):
    decoders = decoders_of(work_s=0.001)
    assert refused(decoders, film) == ("cannot be decoded within 0.001 s.", "too_large")
    assert not decoders.free


def test_a_file_is_asked_for_again_when_its_process_was_killed(decoders_of, film):
    decoders = decoders_of()
    decoders.info(Clip(film))
    (killed,) = decoders.free
    killed.process.kill()
    assert decoders.info(Clip(film)).frames == 24
    assert [decoder.process.poll() for decoder in decoders.free] == [None]


def test_a_process_ends_when_nobody_is_left_to_ask_it(decoders_of, film):
    decoders = decoders_of()
    decoders.info(Clip(film))
    (decoder,) = decoders.free
    decoder.link.close()
    assert decoder.process.wait(timeout=60) == 0


def test_a_process_imports_nothing_from_the_folder_it_is_started_in(decoders_of, film, tmp_path, monkeypatch):
    (tmp_path / "cvr_data").mkdir()
    (tmp_path / "cvr_data" / "__init__.py").write_text("raise SystemExit")
    (tmp_path / "json.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    assert decoders_of().info(Clip(film)).frames == 24


def test_many_threads_share_a_few_processes(decoders_of, tmp_path):
    decoders = decoders_of()
    paths = [write_film(tmp_path / f"{number}.mp4", drawn(4 + number)) for number in range(6)]
    found = {}

    def ask(number):
        found[number] = decoders.info(Clip(paths[number])).frames

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: 4 + number for number in range(6)}
    assert len(decoders.free) <= decoders.most


def test_a_path_is_meant_in_the_folder_of_the_moment(film, tmp_path, monkeypatch):
    decoders = Decoders(Limits(), most=1)
    try:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(UnreadableVideo):
            decoders.info(Clip(Path(film.name)))
        monkeypatch.chdir(film.parent)
        assert decoders.info(Clip(Path(film.name))).frames == decoders.info(Clip(film)).frames
    finally:
        decoders.close()
