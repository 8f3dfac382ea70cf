"""embedder: reference and text in one input, a gallery of stored vectors, audits that show the model something else."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from cvr_bench.audit.altered import Alteration, AlteredFeatures, blank_texts, blank_videos, reversed_frames
from cvr_bench.models import embedder
from cvr_bench.tasks.task import Item, Query
from cvr_data.core.errors import CvrError
from cvr_data.core.trust import naming
from cvr_data.features.embed import embed
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.encoders.stored import StoredEncoder
from cvr_data.features.store import FeatureStore
from cvr_data.media.video import Video, read_frames
from tests.native_embedders import FILMS, QUERIES, grey_embedding, write_film_triplets, write_films

pytestmark = pytest.mark.slow

MODEL = "tests.native_embedders:LastGrey"
CLOSE = {"atol": 2e-3, "rtol": 0}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Films, their vectors, and triplets."""
    folder = tmp_path_factory.mktemp("world")
    write_films(folder)
    write_film_triplets(folder)
    with naming([MODEL]):
        embed(folder / "videos", "embedder", ENCODERS.config("embedder", {"model": MODEL}), folder / "vectors")
    embed(folder / "videos", "hash", ENCODERS.config("hash", {"dim": "4"}), folder / "others")
    return folder


@pytest.fixture(autouse=True)
def named():
    with naming([MODEL]):
        yield


def features_of(folder):
    return AlteredFeatures(StoredEncoder(FeatureStore.open(folder)))


def query_of(reference_id, text, target_id="", number=0):
    return Query(f"q{number}", None if reference_id is None else Item(reference_id, Video(reference_id)), text)


def greys(world, name):
    frames = read_frames(world / "media" / f"{name}.mp4", 8)
    return float(frames[0].mean()), float(frames[-1].mean())


def vector(*numbers):
    return F.normalize(torch.tensor(grey_embedding(*numbers)), dim=-1)


def test_reference_and_text_are_one_input_and_the_gallery_is_stored(world):
    features = features_of(world / "vectors")
    model = embedder.load(embedder.Config(), features)
    queries = [query_of(*query, number=number) for number, query in enumerate(QUERIES)]
    found_BD = model.embed(queries)
    for found_D, (reference_id, text, _) in zip(found_BD, QUERIES, strict=True):
        assert_close(found_D, vector(*greys(world, reference_id), text), **CLOSE)
    model.index([Item(name, Video(name)) for name in FILMS])
    assert_close(model.gallery_GD, FeatureStore.open(world / "vectors").pooled(list(FILMS)))
    best = model.score(queries)[:, : len(FILMS)].argsort(dim=1, descending=True)[:, 0]
    assert [list(FILMS)[number] for number in best] == [target for _, _, target in QUERIES]


def test_a_text_alone_and_a_video_alone_ask_too(world):
    model = embedder.load(embedder.Config(), features_of(world / "vectors"))
    text_D, video_D = model.embed([query_of(None, "darker"), query_of("rising", None)])
    assert_close(text_D, vector(0.0, 0.0, "darker"), **CLOSE)
    assert_close(video_D, vector(*greys(world, "rising"), ""), **CLOSE)


def test_audits_change_what_the_model_is_shown(world):
    features = features_of(world / "vectors")
    model, query = embedder.load(embedder.Config(), features), query_of("rising", "darker")
    first, last = greys(world, "rising")
    for alteration, expected_D in (
        (Alteration(videos=reversed_frames), vector(last, first, "darker")),
        (Alteration(videos=blank_videos), vector(0.0, 0.0, "darker")),
        (Alteration(texts=blank_texts(frozenset({"darker"}))), vector(first, last, "")),
        (Alteration(), vector(first, last, "darker")),
    ):
        with features.altered_by(alteration):
            assert_close(model.embed([query])[0], expected_D, **CLOSE)
    with features.altered_by(Alteration(videos=reversed_frames)):
        assert_close(model.encode_videos([Video("rising")])[0], vector(last, first, ""), **CLOSE)


def test_another_model_than_that_of_the_features_embeds_the_gallery_from_the_files(world):
    config = embedder.Config(model=MODEL, options=("batch_size=2",), videos=world / "videos")
    model = embedder.load(config, features_of(world / "others"))
    found_BD = model.encode_videos([Video(name) for name in FILMS])
    assert_close(found_BD, FeatureStore.open(world / "vectors").pooled(list(FILMS)), **CLOSE)
    with pytest.raises(CvrError, match=r"The features are by hash; name a model"):
        embedder.load(embedder.Config(), features_of(world / "others"))
    with pytest.raises(CvrError, match="has no file of nobody"):
        model.embed([query_of("nobody", "darker")])


def test_one_line_benches_it_with_its_audits(world, cvr, tmp_path):
    words = ("--trust", MODEL, "bench", "--model", "embedder", "--data", world / "triplets")
    assert "100.0" in cvr.done(*words, "-e", world / "vectors", "-O", tmp_path).out
    assert any((tmp_path / name / "audit").is_dir() for name in ("embedder-triplets",))
