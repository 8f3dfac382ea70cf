"""The contract of every model in the folder, with the hash encoder, and what the plain ones are."""

import pytest
import torch
from torch.testing import assert_close

from cvr_bench.models import MODELS
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.tasks.task import Item, Query, Task
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from cvr_data.media.video import Video

pytestmark = pytest.mark.slow

GALLERY = [Item(f"v{number}", Video(f"v{number}")) for number in range(9)]
QUERIES = [
    Query(f"q{number}", GALLERY[number], text)
    for number, text in enumerate(["make it red", "a dog instead of a cat", "not here", "replace sand with snow", "x"])
]
OF_SHORTLISTS = {"rerank", "tfr-covr"}
"""Models that score a video by its place among others."""


def encoder(**changes):
    module = ENCODERS.get("hash")
    return module.load(module.Config(**{"dim": 8, "frames": 2, **changes}))


@pytest.fixture(params=MODELS.names())
def model(request):
    component = MODELS.get(request.param)
    torch.manual_seed(0)
    return component.load(component.TINY, encoder())


def task(**changes):
    fields = {
        "name": "nine videos",
        "queries": QUERIES,
        "gallery": GALLERY,
        "targets": {query.query_id: frozenset({f"v{number + 4}"}) for number, query in enumerate(QUERIES)},
        **changes,
    }
    return Task(**fields)


def test_a_score_depends_on_its_query_and_video_only(model, request):
    model.index(GALLERY)
    expected_QG = model.score(QUERIES)
    assert expected_QG.shape == (5, 9)
    assert_close(model.score(QUERIES[2:4]), expected_QG[2:4])
    model.index(GALLERY[::-1])
    assert_close(model.score(QUERIES), expected_QG.flip(1))
    if request.node.callspec.params["model"] not in OF_SHORTLISTS:
        model.index(GALLERY[3:5])
        assert_close(model.score(QUERIES), expected_QG[:, 3:5])


def test_ranks_do_not_depend_on_chunks_or_gallery_order(model):
    expected = evaluate(model, task())
    turned = evaluate(model, task(gallery=GALLERY[::-1]), chunk=2, columns=3)
    assert turned.rank.tolist() == expected.rank.tolist()
    assert turned.top == expected.top


def test_every_model_says_what_it_is_in_one_line():
    assert {"random", "constant", "visual-only", "text-only", "sum"} <= set(MODELS.names())
    assert all(MODELS.summary(name) for name in MODELS.names())


def test_a_constant_model_ranks_last():
    component = MODELS.get("constant")
    ranks = evaluate(component.load(component.TINY, encoder()), task())
    assert ranks.rank.tolist() == [8] * 5
    assert ranks.ties.tolist() == [7] * 5


def test_random_scores_are_uniform_and_change_with_the_seed():
    component = MODELS.get("random")
    queries = [Query(f"q{number}", GALLERY[0], "x") for number in range(2000)]
    tables = []
    for seed in (0, 1):
        model = component.load(component.Config(seed=seed), encoder())
        model.index(GALLERY)
        tables.append(model.score(queries))
    best = torch.bincount(tables[0].argmax(dim=1), minlength=9) / 2000
    assert_close(best, torch.full((9,), 1 / 9), atol=0.03, rtol=0)
    assert abs(torch.corrcoef(torch.stack([table.flatten() for table in tables]))[0, 1]) < 0.03


def test_sum_goes_from_visual_only_to_text_only():
    def scores(name, **options):
        component = MODELS.get(name)
        model = component.load(component.Config(**options), encoder())
        model.index(GALLERY)
        return model.score(QUERIES)

    assert_close(scores("sum", text_weight=0.0), scores("visual-only"))
    assert_close(scores("sum", text_weight=1.0), scores("text-only"))


@pytest.mark.parametrize(
    ("name", "query", "message"),
    [
        ("visual-only", Query("q9", None, "text"), "needs a reference video; query q9 has none"),
        ("text-only", Query("q9", GALLERY[0], None), "needs a modification text; query q9 has none"),
    ],
)
def test_a_query_without_the_part_a_model_needs_is_named(name, query, message):
    component = MODELS.get(name)
    model = component.load(component.TINY, encoder())
    model.index(GALLERY)
    with pytest.raises(CvrError, match=message):
        model.score([query])


def test_a_wrong_weight_is_one_line():
    with pytest.raises(CvrError, match="sum: text_weight must be between 0 and 1, got 2"):
        MODELS.config("sum", ["text_weight=2"])
