"""cache: answers come back, errors never go in, and a file that is no database is refused."""

import threading

import pytest

from cvr_data.core.errors import CvrError
from cvr_data.modifications.asking.cache import RequestCache
from cvr_data.modifications.asking.request import Answer, Change, Message, Parameters, Request, request_key

CHANGE = Change(kind="static", slot="object", before="ball", after="cube")


def request(content="hello", **parameters):
    return Request(
        pair_id="p", style="short", change=CHANGE, messages=(Message("user", content),),
        parameters=Parameters(**parameters),
    )  # fmt: skip


def test_what_was_put_is_found_by_a_later_process(tmp_path):
    with RequestCache(tmp_path / "deep" / "cache.sqlite") as cache:
        cache.put("a", "model", Answer(text="blue \u00fc", tokens_in=3, tokens_out=1))
    with RequestCache(tmp_path / "deep" / "cache.sqlite") as cache:
        assert cache.get(["a", "b"]) == {"a": Answer(text="blue \u00fc", tokens_in=3, tokens_out=1)}


def test_the_first_answer_stays(tmp_path):
    with RequestCache(tmp_path / "c.sqlite") as cache:
        cache.put("a", "m", Answer(text="one"))
        cache.put("a", "m", Answer(text="two"))
        assert cache.get(["a"])["a"].text == "one"


def test_thousands_of_keys_are_looked_up_at_once(tmp_path):
    with RequestCache(tmp_path / "c.sqlite") as cache:
        for number in range(1500):
            cache.put(str(number), "m", Answer(text=str(number)))
        assert len(cache.get(str(number) for number in range(3000))) == 1500


def test_two_writers_share_a_cache(tmp_path):
    path = tmp_path / "c.sqlite"
    RequestCache(path).connection.close()

    def write(start):
        with RequestCache(path) as cache:
            for number in range(start, start + 100):
                cache.put(str(number), "m", Answer(text="x"))

    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with RequestCache(path) as cache:
        assert len(cache.get(str(number) for number in range(150))) == 150


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path):
    (tmp_path / "c.sqlite").write_text("not a database, " * 100)
    with pytest.raises(CvrError, match=r"c\.sqlite: cannot be (used|read) as the request cache"):
        RequestCache(tmp_path / "c.sqlite")


def test_the_key_is_of_what_can_change_the_answer():
    key = request_key("m", request())
    assert key == request_key("m", request(seed=7)), "greedy decoding has no seed"
    assert key != request_key("n", request())
    assert key != request_key("m", request("bye"))
    assert key != request_key("m", request(temperature=1.0))
    assert request_key("m", request(temperature=1.0)) != request_key("m", request(temperature=1.0, seed=7))


def test_the_first_answer_to_a_question_stands_for_every_process(tmp_path):
    with RequestCache(tmp_path / "c.sqlite") as one, RequestCache(tmp_path / "c.sqlite") as other:
        assert one.put("k", "m", Answer(text="first", tokens_in=1)).text == "first"
        assert other.put("k", "m", Answer(text="second")) == Answer(text="first", tokens_in=1)
