"""Sets of captions: the best caption of each counts, which one R@1 cannot tell from ranking captions one by one."""

import numpy as np
import pytest

from cvr_bench.models import MODELS
from cvr_bench.models.parts.retriever import Retriever
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.scoring.metrics import recall
from cvr_bench.tasks.task import Item, Query, Task
from cvr_bench.tasks.text_video import text_video_task
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from cvr_data.media.video import Video

CAPTIONS = {f"v{number:02}": [f"word{number} {extra}" for extra in range(1 + number % 4)] for number in range(30)}


def model(name: str) -> Retriever:
    encoder = ENCODERS.get("hash").load(ENCODERS.get("hash").TINY)
    return MODELS.get(name).load(MODELS.get(name).TINY, encoder)


@pytest.fixture
def tasks():
    """The same captions one by one, and in sets."""
    return [text_video_task("t", CAPTIONS, "video-to-text", "sentence", texts) for texts in ("captions", "sets")]


def test_a_set_ranks_by_its_best_caption(tasks):
    single, sets = tasks
    visual = model("visual-only")
    visual.index(single.gallery)
    scores = visual.score(single.queries).numpy()
    owner = [item.item_id.split("#")[0] for item in single.gallery]
    best = np.stack([scores[:, [name == video for name in owner]].max(axis=1) for video in CAPTIONS], axis=1)
    expected = [1 + sum(row >= row[place]) - 1 for place, row in enumerate(best)]
    assert evaluate(visual, sets).rank.tolist() == expected


def test_sets_change_no_first_rank_and_only_raise_the_others(tasks):
    ranks = [evaluate(model("visual-only"), task).rank for task in tasks]
    assert recall(ranks[0], 1) == recall(ranks[1], 1)
    assert (ranks[1] <= ranks[0]).all()
    assert (ranks[1] < ranks[0]).any()


def test_chunks_do_not_matter(tasks):
    expected = evaluate(model("random"), tasks[1]).rank
    assert evaluate(model("random"), tasks[1], chunk=4, columns=3).rank.tolist() == expected.tolist()


def test_a_gallery_is_of_sets_or_of_none():
    gallery = [Item("a", texts=("x",)), Item("b", text="y")]
    with pytest.raises(CvrError, match="gallery item a is a set of texts, but not every item is"):
        Task(name="t", queries=[Query("q", Item("v", Video("v")), None)], gallery=gallery,
             targets={"q": frozenset({"a"})})  # fmt: skip
