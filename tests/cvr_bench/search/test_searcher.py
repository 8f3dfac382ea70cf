"""Search: exact, explained by half, and never the clip it starts from."""

import json
from dataclasses import replace
from functools import partial

import pytest
import torch

import cvr_bench
from cvr_bench.search.library import open_search_library
from cvr_bench.search.question import Question, SearchModel
from cvr_bench.search.searcher import NOT_WEIGHT, Searcher, search
from cvr_bench.tasks.task import Item, Query
from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.media.video import Video


@pytest.fixture(scope="module")
def library(world):
    return open_search_library(world.videos, world.embeddings)


def pooled(library, *ids):
    return library.encoder.store.frames(ids).pooled_BD()


def text_of(library, *texts):
    return library.encoder.encode_texts(texts).pooled_BD


def test_the_best_are_those_of_a_plain_product(library):
    found = search(library, Question(like="test03", texts=("make it red",)), SearchModel(), 5)
    query = torch.nn.functional.normalize(
        torch.lerp(pooled(library, "test03"), text_of(library, "make it red"), 0.5), dim=-1
    )
    scores = (pooled(library, *library.ids) @ query.T)[:, 0]
    scores[library.ids.index("test03")] = -torch.inf
    best = torch.argsort(scores, descending=True, stable=True)[:5].tolist()
    assert [each.video_id for each in found] == [library.ids[place] for place in best]
    assert [each.score for each in found] == pytest.approx(scores[best].tolist(), abs=1e-6)
    assert found[0].by_video == pytest.approx(
        float(pooled(library, found[0].video_id) @ pooled(library, "test03").T), abs=1e-6
    )


def test_texts_are_averaged_and_what_should_not_be_true_takes_away(library):
    texts, without = ("make it red", "make it blue"), ("a cat",)
    found = search(library, Question(texts=texts, without=without), SearchModel(), len(library.ids))
    gallery = pooled(library, *library.ids)
    asked = (gallery @ text_of(library, *texts).T).mean(1)
    wanted = asked - NOT_WEIGHT * (gallery @ text_of(library, *without).T)[:, 0]
    for each in found:
        place = library.ids.index(each.video_id)
        assert each.score == pytest.approx(float(wanted[place]), abs=1e-5)
        assert each.by_text == pytest.approx(float(asked[place]), abs=1e-5)
        assert each.by_video is None
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    assert len(found) == len(library.ids)


def test_the_clip_itself_is_not_found(library):
    found = search(library, Question(like="val01"), SearchModel(), len(library.ids))
    assert "val01" not in {each.video_id for each in found}
    assert len(found) == len(library.ids) - 1


def test_what_cannot_be_searched_is_refused(library, tmp_path):
    with pytest.raises(CvrError, match="Nothing is asked"):
        search(library, Question(), SearchModel(), 3)
    with pytest.raises(CvrError, match="A text is empty"):
        search(library, Question(texts=(" ",)), SearchModel(), 3)
    with pytest.raises(CvrError, match=r"neither a video of .* nor a file\. Did you mean: test03"):
        search(library, Question(like="test3"), SearchModel(), 3)
    with pytest.raises(CvrError, match="has no parameters"):
        search(library, Question(texts=("x",)), SearchModel(checkpoint=tmp_path), 3)
    for long in ("x" * 5000, "犬" * 200):  # a name that no system takes
        with pytest.raises(CvrError, match="nor a file"):
            search(library, Question(like=long), SearchModel(), 3)


def test_one_text_of_a_notebook_is_one_text_and_no_count_is_refused(library, world):
    ask = partial(cvr_bench.search, world.videos, world.embeddings)
    assert ask(texts="make it red", count=3).equals(ask(texts=["make it red"], count=3))
    with pytest.raises(CvrError, match="count should be 1 or more, got 0"):
        ask(texts=["make it red"], count=0)
    with pytest.raises(CvrError, match="A text is empty or none"):
        ask(texts=[None])


@pytest.mark.slow
@pytest.mark.parametrize("small", [10, 1000])
def test_a_trained_model_ranks_with_its_checkpoint(library, world, cvr, tmp_path, small):
    words = ("-t", "epochs=1", "-o", "width=8", "-o", "heads=1", "--no-audit", "--out", tmp_path)
    assert cvr("bench", "-m", "fdca", "--data", world.triplets, "-e", world.embeddings, *words).code == 0
    searcher = Searcher(library, SearchModel(name="fdca", checkpoint=next(tmp_path.glob("fdca-*"))), small=small)
    question = Question(like="test03", texts=("make it red", "make it blue"), without=("a cat",))
    searcher.find(replace(question, without=()), 7)
    assert searcher.nearest is not None and searcher.nearest.far is None  # read for what should not be true only
    found = searcher.find(question, 7)
    item = Item("test03", Video("test03"))
    scores = searcher.retriever.score([Query(text, item, text) for text in question.texts]).mean(0)
    scores -= NOT_WEIGHT * (pooled(library, *library.ids) @ text_of(library, "a cat").T)[:, 0]
    scores[library.ids.index("test03")] = -torch.inf
    best = torch.argsort(scores, descending=True, stable=True)[:7].tolist()
    assert [each.video_id for each in found] == [library.ids[place] for place in best]
    assert [each.score for each in found] == pytest.approx(scores[best].tolist(), abs=1e-5)


def test_the_command_prints_each_input(cvr, world):
    words = ("search", world.videos, "-e", world.embeddings, "--like", "test03", "--text", "make it red", "-n", 2)
    lines = cvr(*words).out.splitlines()
    assert lines[0].split() == ["score", "by", "text", "by", "video", "video"]
    assert len(lines) == 3
    found = json.loads(cvr(*words, "--json").out)
    assert [each["video_id"] for each in found] == [line.split()[4].rstrip(":") for line in lines[1:]]


def test_a_wrong_name_does_not_list_a_whole_library():
    assert did_you_mean("zzz", (f"video-{number:03}" for number in range(500))) == (
        "There are video-000, video-001, video-002 and 497 more."
    )
