"""tfr-covr: captions edited by a language model, a visual shortlist, and its order by text."""

import pytest

from cvr_bench.models import tfr_covr
from cvr_bench.tasks.task import Item, Query
from cvr_data.features.encoders import ENCODERS
from cvr_data.media.video import Video
from cvr_data.modifications.asking.request import Answer

GALLERY = [Item(f"v{number}", Video(f"v{number}")) for number in range(8)]


class Replace:
    """A backend that answers with caption and edit in one; it says nothing to what is broken."""

    model, is_pure = "replace", True

    def write(self, requests):
        for number, request in enumerate(requests):
            caption, edit = (line.split(": ")[1] for line in request.messages[-1].content.splitlines())
            yield number, Answer(text=None if caption == "broken" else f"New caption: {caption} and {edit}.")


@pytest.fixture
def features():
    return ENCODERS.get("hash").load(ENCODERS.get("hash").Config(dim=8, frames=2))


@pytest.fixture
def model(features):
    made = tfr_covr.load(tfr_covr.Config(backend="echo", neighbours=3), features)
    made.editor.backend = Replace()
    made.index(GALLERY)
    return made


def query(number, description):
    return Query(f"q{number}", GALLERY[number], "make it red", description)


def test_captions_are_edited_or_the_text_stands_for_them(model):
    queries = [query(0, "a dog runs"), query(1, None), query(2, "broken")]
    assert model.edited_captions(queries) == ["a dog runs and make it red", "make it red", "make it red"]


def test_the_nearest_videos_are_put_in_the_order_of_the_edited_caption(model, features):
    [scores_G] = model.score([query(4, "a dog runs")])
    vectors_GD = features.encode_videos([item.video for item in GALLERY]).pooled_BD()
    visual_G = vectors_GD @ vectors_GD[4]
    text_G = vectors_GD @ features.encode_texts(["a dog runs and make it red"]).pooled_BD[0]
    nearest = [column for column in visual_G.argsort(descending=True).tolist() if column != 4]
    first = sorted([*nearest[:3], 4], key=lambda column: -text_G[column].item())
    assert scores_G.argsort(descending=True).tolist() == first + nearest[3:]
