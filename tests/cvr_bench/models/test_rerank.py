"""rerank and judge: the shortlist, its new order, and a language model that rates candidates."""

import io

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cvr_bench.models import judge, rerank
from cvr_bench.models.parts.two_stages import (
    reranker_model_scores,
    reranker_model_shortlist,
    reranker_reference_columns,
)
from cvr_bench.tasks.task import Item, Query
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from cvr_data.media.video import Video, write_mp4
from cvr_data.modifications.asking.request import Answer
from cvr_data.tables import VIDEOS

GALLERY = [Item(f"v{number}", Video(f"v{number}")) for number in range(6)]


def encoder():
    return ENCODERS.get("hash").load(ENCODERS.get("hash").Config(dim=8, frames=2))


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 2**16), st.integers(1, 12), st.sampled_from([2, 5, 1000]))
def test_the_new_order_is_that_of_a_slow_sort(seed, size, values):
    generator = torch.Generator().manual_seed(seed)
    first_QG = torch.randint(values, (3, 10), generator=generator).float()
    second_QG = torch.randint(values, (3, 10), generator=generator).float()
    own_Q = torch.tensor([0, -1, 9])
    listed_QG = reranker_model_shortlist(first_QG, own_Q, size)
    scores_QG = reranker_model_scores(first_QG, second_QG, listed_QG)
    for row in range(3):
        others = sorted((first_QG[row, c].item() for c in range(10) if c != own_Q[row]), reverse=True)
        last = others[min(size, 10) - 1] if size <= len(others) else -torch.inf
        assert listed_QG[row].tolist() == [score >= last for score in first_QG[row].tolist()]

        def key(column, row=row):
            is_listed = bool(listed_QG[row, column])
            return (is_listed, second_QG[row, column].item() if is_listed else 0.0, first_QG[row, column].item())

        keys, scores = [key(column) for column in range(10)], scores_QG[row].tolist()
        for one in range(10):
            for other in range(10):
                expected = (keys[one] > keys[other]) - (keys[one] < keys[other])
                assert (scores[one] > scores[other]) - (scores[one] < scores[other]) == expected


def test_a_querys_own_column_is_found():
    queries = [Query("a", GALLERY[2], "x"), Query("b", Item("w", Video("w")), "x"), Query("c", None, "x")]
    assert reranker_reference_columns(queries, GALLERY).tolist() == [2, -1, -1]


def test_the_second_model_orders_the_shortlist_of_the_first():
    features = encoder()
    queries = [Query("q0", GALLERY[0], "make it red"), Query("q1", GALLERY[1], "a dog")]
    model = rerank.load(rerank.Config(first="visual-only", second="text-only", top=3), features)
    model.index(GALLERY)
    scores_QG = model.score(queries)
    for row in range(2):
        visual_G, text_G = model.first.score(queries)[row], model.second.score(queries)[row]
        best = [*[c for c in visual_G.argsort(descending=True).tolist() if c != row][:3], row]
        expected = sorted(best, key=lambda c, text_G=text_G: -text_G[c].item())
        assert scores_QG[row].argsort(descending=True)[:4].tolist() == expected


def test_models_that_train_need_a_checkpoint():
    with pytest.raises(CvrError, match="combiner has to be trained; pass --checkpoint"):
        rerank.load(rerank.Config(first="combiner", second="sum"), encoder())
    with pytest.raises(ValueError, match="not rerank"):
        rerank.Config(first="rerank")


@pytest.mark.parametrize(
    ("answer", "rating"), [("8", 0.8), ("Rating: 7.5 of 10", 0.75), ("12", 1.0), ("none", None), (None, None)]
)
def test_a_rating_is_the_first_number(answer, rating):
    found = judge.judge_model_score(answer)
    assert found != found if rating is None else found == pytest.approx(rating)


class Colours:
    """A backend that rates a candidate by whether it has the wanted colour; it fails on `broken`."""

    model, is_pure = "colours", True

    def write(self, requests):
        for number, request in enumerate(requests):
            question = request.messages[-1].content
            candidate = question.split("Candidate: ")[1]
            wanted = question.split("make it ")[1].split()[0]
            text = None if "broken" in candidate else "10" if wanted in candidate else "2"
            yield number, Answer(text=text, error=None if text else "broken")


def test_a_judge_lifts_what_answers_and_never_drops_what_it_cannot_rate():
    model = rerank.load(rerank.Config(first="visual-only", second="judge", second_options=("backend=echo",)), encoder())
    captions = ["a red car", "a blue car", "broken", "a green car", "a blue boat", "a red boat"]
    model.second.model.backend = Colours()
    model.second.captions = {f"v{number}": caption for number, caption in enumerate(captions)}
    model.index(GALLERY)
    order = model.score([Query("q", GALLERY[0], "make it blue")])[0].argsort(descending=True).tolist()
    assert set(order[:2]) == {1, 4}
    assert order[-1] == 2
    rescored = model.second.rescore(Query("q", GALLERY[0], "make it blue"), ["v1", "v2", "v3"])
    assert rescored.isnan().tolist() == [False, True, False]
    assert rescored[[0, 2]].tolist() == pytest.approx([1.0, 0.2])


def test_a_judge_is_shown_frames_of_files_that_lie_beside_their_table(tmp_path):
    rows = []
    for number, grey in enumerate((40, 200)):
        write_mp4(tmp_path / f"v{number}.mp4", np.full((6, 32, 32, 3), grey, np.uint8))
        rows.append({"video_id": f"v{number}", "captions": ["a clip"], "source": "grey", "path": f"../v{number}.mp4"})
    with ArtifactWriter(tmp_path / "videos", stage="import-grey") as writer:
        writer.write_part(0, check_columns(pa.Table.from_pylist(rows), VIDEOS, "videos"))
        writer.finish()
    model = judge.load(judge.Config(backend="echo", videos=tmp_path / "videos", frames=2), encoder())
    [images] = model._images("v0", ["v1"])
    greys = [np.asarray(Image.open(io.BytesIO(image))).mean() for image in images]
    assert greys == pytest.approx([40, 40, 200, 200], abs=4)
    with pytest.raises(CvrError, match="has no file of v9"):
        model._images("v9", ["v1"])
