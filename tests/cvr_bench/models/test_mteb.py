"""mteb: stored features added as MTEB adds them, and joint encoders given frames with their text."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from cvr_bench.models import mteb
from cvr_bench.tasks.task import Item, Query
from cvr_data.core.errors import CvrError
from cvr_data.core.trust import naming
from cvr_data.features.encoders import ENCODERS
from cvr_data.media.video import Video, write_mp4
from cvr_data.tables import VIDEOS
from tests.dataset_folders import write_artifact

DIM = 4
GREYS = {"dark": 40, "bright": 200}


class Brightness:
    """A joint encoder with MTEB's method: the mean colour, and the length of the text."""

    def encode(self, inputs, **_):
        return torch.ones(len(inputs), DIM)

    def get_fused_embeddings(self, batches, **_):
        assert max(len(batch["image"]) for batch in batches) <= 2
        pairs = [pair for batch in batches for pair in zip(batch["image"], batch["text"], strict=True)]
        return torch.tensor([[*np.asarray(image).mean(axis=(0, 1)), float(len(text))] for image, text in pairs])


class TextOnly:
    """A model that cannot take an image with a text."""

    def encode(self, inputs, **_):
        return torch.ones(len(" ".join(inputs)), DIM)


@pytest.fixture(autouse=True)
def named():
    """The models of this file are named by who runs it."""
    with naming([f"{__name__}:Brightness", f"{__name__}:TextOnly"]):
        yield


def encoder():
    return ENCODERS.get("hash").load(ENCODERS.get("hash").Config(dim=DIM, frames=2))


def queries(*ids, text="brighter"):
    return [Query(f"q{number}", Item(name, Video(name)), text) for number, name in enumerate(ids)]


@pytest.fixture
def videos(tmp_path):
    """Clips of one grey each, and a row without a file."""
    rows = []
    for name, grey in GREYS.items():
        write_mp4(tmp_path / f"{name}.mp4", np.full((6, 32, 32, 3), grey, np.uint8))
        rows.append({"video_id": name, "captions": [name], "source": "grey", "path": f"../{name}.mp4"})
    rows.append({"video_id": "gone", "captions": ["gone"], "source": "grey"})
    return write_artifact(tmp_path / "videos", "import-grey", rows, VIDEOS)


def test_stored_features_are_added():
    features = encoder()
    query = queries("a", text="red")
    model = mteb.load(mteb.Config(), features)
    model.index([Item("b", Video("b"))])
    video_D = features.encode_videos([Video("a")]).pooled_BD()[0]
    expected = F.normalize(video_D + features.encode_texts(["red"]).pooled_BD[0], dim=0)
    assert_close(model.embed(query)[0], expected)


def test_a_joint_encoder_sees_each_frame_with_its_text(videos):
    options = {"model": f"{__name__}:Brightness", "videos": videos, "frames": 3, "batch_size": 2}
    model = mteb.load(mteb.Config(**options), encoder())
    for found_D, grey in zip(model.encode_queries(queries("dark", "bright")), GREYS.values(), strict=True):
        expected = F.normalize(torch.tensor([grey, grey, grey, len("brighter")], dtype=torch.float32), dim=0)
        assert_close(found_D, expected, atol=0.02, rtol=0)


def test_a_reference_without_a_file_and_a_model_of_texts_are_one_line(videos):
    model = mteb.load(mteb.Config(model=f"{__name__}:Brightness", videos=videos), encoder())
    with pytest.raises(CvrError, match="has no file of reference gone"):
        model.encode_queries(queries("gone"))
    model = mteb.load(mteb.Config(model=f"{__name__}:TextOnly", videos=videos), encoder())
    with pytest.raises(CvrError, match="TextOnly does not encode an image with a text"):
        model.encode_queries(queries("dark"))


def test_a_joint_encoder_needs_to_know_where_the_files_are():
    with pytest.raises(ValueError, match="-o videos=VIDEOS"):
        mteb.Config(model="somewhere:Model")
