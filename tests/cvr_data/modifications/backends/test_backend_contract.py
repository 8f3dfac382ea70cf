"""Every backend: each request is answered once, with a text or with what went wrong."""

import importlib.util

import pytest

from cvr_data.modifications.asking.request import Answer, Change, Message, Request
from cvr_data.modifications.backends import BACKENDS
from tests.llm_server import LLMServer
from tests.tiny_language_models import save_language_model

CHANGES = [("red", "blue"), ("dog", "cat"), ("runs", "sleeps")]


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """Backend -> what it needs beside its defaults: a server, or tiny weights."""
    with LLMServer() as server:
        yield {
            "openai": {"model": "tiny", "base_url": server.url},
            "transformers": {"model": str(save_language_model(tmp_path_factory.mktemp("model"))), "device": "cpu"},
        }


def requests():
    return [
        Request(
            pair_id=str(number), style="short", change=Change(kind="static", slot="object", before=before, after=after),
            reference=f"a {before} thing", target=f"a {after} thing", lead="Edit:",
            captions=(f"a {before} thing", f"a {after} thing"),
            messages=(Message("system", "be short"), Message("user", f"Video: a {before} thing\nshow {after}.")),
        )
        for number, (before, after) in enumerate(CHANGES)
    ]  # fmt: skip


@pytest.mark.parametrize("name", BACKENDS.names())
def test_each_request_is_answered_once(name, options, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    backend = BACKENDS.get(name).load(BACKENDS.config(name, options.get(name, {})))
    assert backend.model and backend.is_pure in (True, False) and backend.gpus >= 0
    if name == "vllm" and importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is installed beside the tests")
    answers = dict(backend.write(requests()))
    assert sorted(answers) == [0, 1, 2]
    for answer in answers.values():
        assert isinstance(answer, Answer)
        assert [answer.text, answer.error, answer.refused].count(None) == 2
    assert list(backend.write([])) == []
