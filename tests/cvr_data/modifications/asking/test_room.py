"""room: an answer that was cut off is asked again with more, and a model that thinks is let think or told not to."""

import sqlite3
from dataclasses import dataclass, field

import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.modifications.asking.ask import Asker
from cvr_data.modifications.asking.cache import RequestCache
from cvr_data.modifications.asking.parse import read_answer
from cvr_data.modifications.asking.request import (
    MORE_ROOM,
    THINKING_TOKENS,
    Answer,
    Change,
    Message,
    Parameters,
    Request,
    request_with_more_tokens,
)
from cvr_data.modifications.backends import openai, transformers, vllm
from cvr_data.modifications.backends.openai import _read, chat_request_body
from cvr_data.modifications.generator import Config, Generator
from tests.ball_pairs import write_ball_pairs

CHANGE = Change(kind="static", slot="object", before="ball", after="cube")
ASKED = Request(pair_id="p", style="short", change=CHANGE, messages=(Message("user", "hello"),),
                parameters=Parameters(max_tokens=20))  # fmt: skip


@dataclass
class WordByWord:
    """Says the same to everything, a token a word, and ends where the room or, asked for one line, the line does."""

    says: str
    model: str = "word by word"
    is_pure: bool = False
    gpus: int = 0
    rooms: list[int] = field(default_factory=list)

    def write(self, requests):
        for number, request in enumerate(requests):
            self.rooms.append(request.parameters.max_tokens)
            said = self.says.split("\n")[0] if request.one_line else self.says
            words = said.split(" ")
            room = request.parameters.max_tokens
            yield (
                number,
                Answer(text=" ".join(words[:room]), tokens_out=min(len(words), room), is_cut=len(words) > room),
            )


def written(tmp_path, says, attempts=3):
    backend = WordByWord(says)
    pairs = open_artifact(write_ball_pairs(tmp_path / "pairs", 1)).read()
    with RequestCache(tmp_path / "cache.sqlite") as cache:
        texts = [Generator(Config(attempts=attempts), Asker(backend, cache)).texts_for(pairs) for _ in range(2)]
    assert texts[0].equals(texts[1])
    return texts[0].to_pylist()[0], backend.rooms


def test_a_long_preamble_gets_room_and_then_its_text(tmp_path):
    row, rooms = written(tmp_path, "make the ball blue" + " and very" * 12)
    assert rooms == [20, 20 * MORE_ROOM, 20 * MORE_ROOM]  # what did not fit at first is too long, and said so
    assert (row["status"], row["attempts"], row["reasons"][:1]) == ("rejected", 3, ["too_long"])


def test_thoughts_get_room_and_then_the_text_is_read(tmp_path):
    row, rooms = written(tmp_path, f"<think>\n{'well ' * 300}\n</think>\nmake the ball blue")
    assert rooms == [20, 20 + THINKING_TOKENS]
    assert (row["status"], row["modification"], row["attempts"]) == ("ok", "make the ball blue", 2)


def test_a_text_within_its_room_is_asked_once(tmp_path):
    row, rooms = written(tmp_path, "make the ball blue")
    assert rooms == [20] and row["status"] == "ok"


def test_what_is_cut_lacks_a_text_or_the_end_of_thoughts():
    assert read_answer("make the ball", is_cut_off=True)[1:] == ("truncated", "text")
    assert read_answer("", is_cut_off=True)[1:] == ("truncated", "thoughts")
    assert read_answer("<think> hm", is_cut_off=True)[1:] == ("truncated", "thoughts")
    assert read_answer('{"modification": "make', is_cut_off=True)[1:] == ("truncated", "text")
    assert read_answer("make the ball blue\nand", is_cut_off=True).text == "make the ball blue"


def test_a_cache_of_an_older_version_is_read_and_says_of_new_answers_whether_they_were_cut(tmp_path):
    with sqlite3.connect(tmp_path / "c.sqlite") as old:
        old.execute("CREATE TABLE answers (key TEXT PRIMARY KEY, model TEXT NOT NULL, text TEXT NOT NULL, "
                    "tokens_in INTEGER, tokens_out INTEGER) WITHOUT ROWID")  # fmt: skip
        old.execute("INSERT INTO answers VALUES ('a', 'm', 'one', 1, 2)")
    for _ in range(2):
        with RequestCache(tmp_path / "c.sqlite") as cache:
            cache.put("b", "m", Answer(text="tw", is_cut=True))
            found = cache.get(["a", "b"])
    assert found == {"a": Answer(text="one", tokens_in=1, tokens_out=2), "b": Answer(text="tw", is_cut=True)}


@pytest.mark.parametrize("module", [openai, transformers, vllm])
def test_a_model_told_how_to_think_is_another_writer_and_must_chat(module):
    config = {"model": "m", "form": "chat"}
    names = [module.model_name(module.Config(**config, thinking=how)) for how in ("model", "off", "on")]
    assert len(set(names)) == 3
    assert names[1].replace(" thinking=off", "") == names[0]
    with pytest.raises(ValueError, match="-o form=chat"):
        module.Config(model="m", form="completion", thinking="off")


def test_a_server_is_told_how_to_think():
    bodies = [chat_request_body(openai.Config(model="m", thinking=how), ASKED) for how in ("model", "off", "on")]
    assert "chat_template_kwargs" not in bodies[0]
    assert [body["chat_template_kwargs"]["enable_thinking"] for body in bodies[1:]] == [False, True]
    assert [body["max_tokens"] for body in bodies] == [20, 20, 20 + THINKING_TOKENS]


@pytest.mark.parametrize(
    ("message", "finish", "text", "is_cut", "told"),
    [
        ({"content": None, "reasoning_content": "hm"}, "length", "", True, None),
        ({"content": "make it", "reasoning_content": "hm"}, "stop", "make it", False, None),
        ({"content": None, "refusal": "I can't help with that."}, "stop", "I can't help with that.", False, None),
        ({"content": None}, "content_filter", None, False, "gave no text (content_filter)"),
        ({"content": None, "tool_calls": []}, "tool_calls", None, False, "-o guided=none"),
    ],
)
def test_an_answer_without_content_is_cut_refused_or_says_what_to_do(message, finish, text, is_cut, told):
    answer = _read({"choices": [{"message": message, "finish_reason": finish}]}, True)
    assert (answer.text, answer.is_cut) == (text, is_cut)
    assert answer.error is None if told is None else told in answer.error


def test_room_for_thoughts_is_not_for_one_line():
    asked = request_with_more_tokens(ASKED, "thoughts")
    assert asked.parameters.max_tokens == 20 + THINKING_TOKENS and not asked.one_line
    assert request_with_more_tokens(ASKED, "text").one_line and request_with_more_tokens(ASKED, "") is ASKED
