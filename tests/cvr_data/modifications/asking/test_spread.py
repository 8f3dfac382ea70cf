"""spread: several engines on Ray write the rows that one writes here, and one that dies loses nothing."""

import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.engine import Engine
from cvr_data.core.errors import CvrError
from cvr_data.core.jobs import use_engine
from cvr_data.modifications.asking.request import Change, Message, Request
from cvr_data.modifications.asking.spread import SpreadBackend, _batches_of_requests, spread_backend
from cvr_data.modifications.backends import BACKENDS
from tests.ball_pairs import write_ball_pairs
from tests.llm_server import LLMServer

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")]


@pytest.fixture(scope="module")
def ray_of_two():
    ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
    with use_engine(Engine("ray", workers=2)):
        yield ray


@pytest.mark.engine
def test_the_rows_are_those_of_one_engine(cvr, tmp_path, ray_of_two):
    pairs = write_ball_pairs(tmp_path / "pairs", 40)
    with LLMServer() as server:
        words = ("generate-modifications", pairs, "--llm", "openai", "-o", "model=tiny", "-o", f"base_url={server.url}")
        cvr.done(*words, "-O", tmp_path / "here", "--cache", tmp_path / "here.sqlite")
        cvr.done(*words, "-O", tmp_path / "there", "--cache", tmp_path / "there.sqlite", "--engine", "ray", "-w", "2")
        assert all(times == 2 for times in server.asked.values()) and len(server.asked) == 40
    here, there = (open_artifact(tmp_path / name) for name in ("here", "there"))
    assert [path.read_bytes() for path in here.part_paths] == [path.read_bytes() for path in there.part_paths]
    assert here.key == there.key and there.manifest["requests"]["asked"] == 40


def asked(count):
    change = Change(kind="static", slot="object", before="red", after="blue")
    return [
        Request(pair_id=str(n), style="short", change=change, messages=(Message("user", f"Video: {n}\nshow c{n}."),))
        for n in range(count)
    ]


@pytest.mark.engine
def test_an_engine_that_is_killed_is_replaced_and_its_batch_asked_again(ray_of_two):
    with LLMServer(pause_s=0.05) as server:
        options = ("model=tiny", f"base_url={server.url}", "concurrency=1")
        backend = BACKENDS.get("openai").load(BACKENDS.config("openai", options))
        several = spread_backend(backend, "openai", options)
        assert isinstance(several, SpreadBackend) and several.model == "tiny"
        stream = several.write(asked(24))
        answers = dict([next(stream)])
        ray_of_two.kill(several._actors[0], no_restart=False)
        answers |= dict(stream)
    assert [answers[number].text for number in range(24)] == [f"make the ball c{number}" for number in range(24)]


@pytest.mark.engine
def test_an_engine_that_cannot_start_ends_the_run_in_one_line(ray_of_two):
    with LLMServer() as server:
        options = ("model=tiny", f"base_url={server.url}", "first_wait_s=0.01")
    backend = BACKENDS.get("openai").load(BACKENDS.config("openai", options))
    with pytest.raises(CvrError, match="No server answers at") as told:
        list(spread_backend(backend, "openai", options).write(asked(1)))
    assert "\n" not in str(told.value)


def test_rules_and_runs_without_ray_are_not_spread():
    rules = BACKENDS.get("rules").load(BACKENDS.config("rules"))
    assert spread_backend(rules, "rules", ()) is rules


def test_batches_cover_every_request_once():
    for count, workers in ((1, 3), (7, 2), (5000, 2)):
        found = [number for batch in _batches_of_requests(count, workers) for number in batch]
        assert found == list(range(count)) and max(map(len, _batches_of_requests(count, workers))) <= 512
