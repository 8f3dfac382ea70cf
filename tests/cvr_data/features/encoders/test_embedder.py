"""embedder: one vector per video, by MTEB 2's contract and by that of sentence-transformers, as the libraries give."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch.testing import assert_close

from cvr_data.core.errors import CvrError
from cvr_data.core.trust import naming
from cvr_data.features.embed import embed
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.encoders.networks.embedding_input import EmbeddingInput
from cvr_data.features.store import FeatureStore
from cvr_data.media.video import UnreadableVideo, Video, read_frames, write_mp4
from tests.native_embedders import FILMS, grey_embedding, write_film_triplets, write_films
from tests.sounding_film import write_sounding_film
from tests.tiny_language_models import save_vision_language_model

pytestmark = pytest.mark.slow

MODEL = "tests.native_embedders:LastGrey"
CLOSE = {"atol": 1e-5, "rtol": 1e-4}


def load(**options):
    with naming(options.values()):
        return ENCODERS.get("embedder").load(ENCODERS.config("embedder", options))


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return write_films(tmp_path_factory.mktemp("films"))


@pytest.fixture(scope="module")
def film_of(videos):
    return lambda name: Video(name, videos.parent / "media" / f"{name}.mp4")


@pytest.fixture(scope="module")
def sentence_model(tmp_path_factory):
    """A real vision-language model that takes several pictures with a text in one input, and no films."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    folder = tmp_path_factory.mktemp("idefics")
    transformer = Transformer(str(save_vision_language_model(folder / "transformer")))
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="lasttoken")
    prompts = {"query": "still camera near", "document": "thing"}
    SentenceTransformer(modules=[transformer, pooling], prompts=prompts, device="cpu").save_pretrained(
        str(folder / "sentence")
    )
    return folder / "sentence"


def test_mtebs_contract_gives_each_film_one_vector_of_its_own_frames(film_of):
    encoder = load(model=MODEL, batch_size="2")
    features = encoder.encode_videos([film_of(name) for name in FILMS])
    assert features.frames_BTD.shape == (len(FILMS), 1, 4)
    greys = {name: read_frames(film_of(name).path, 8).mean(axis=(1, 2, 3)) for name in FILMS}
    expected_BD = torch.tensor([grey_embedding(float(each[0]), float(each[-1]), "") for each in greys.values()])
    assert_close(features.frames_BTD[:, 0], F.normalize(expected_BD, dim=-1), atol=1e-3, rtol=0)
    assert encoder.model.model.asked == [("query", ("text",)), ("document", ("video",))]


def test_a_film_and_a_text_are_one_input_and_texts_ask(film_of):
    encoder = load(model=MODEL)
    item = encoder.read_clip(film_of("rising"))
    both = EmbeddingInput("turn it round", item.frames, item.clip)
    (found_D,) = encoder.encode_items([both], "query", None)
    (mirrored_D,) = encoder.encode_clips([encoder.read_clip(film_of("falling"))])
    assert_close(found_D[:3], mirrored_D[:3], atol=5e-3, rtol=0)
    assert encoder.model.model.asked[1] == ("query", ("text", "video"))
    texts = encoder.encode_texts(["darker", "brighter"])
    assert texts.tokens_BLD.shape == (2, 1, 4)
    mixed_BD = encoder.encode_items([EmbeddingInput("darker"), both, EmbeddingInput("brighter")], "query", None)
    assert_close(mixed_BD[[0, 2]], texts.pooled_BD)
    assert_close(mixed_BD[1], found_D)


def test_embeddings_may_be_cut_to_a_width(film_of):
    whole, cut = (load(model=MODEL, **options).encode_texts(["darker"]) for options in ({}, {"dim": "2"}))
    assert_close(cut.pooled_BD, F.normalize(whole.pooled_BD[:, :2], dim=-1))


def test_stored_vectors_are_a_feature_like_any_other(videos, film_of, tmp_path):
    with naming([MODEL]):
        made = embed(videos, "embedder", ENCODERS.config("embedder", {"model": MODEL}), tmp_path / "made")
    assert (made.manifest["dim"], made.manifest["text_dim"], made.manifest["videos"]) == (4, 4, len(FILMS))
    store = FeatureStore.open(made.path)
    expected = load(model=MODEL).encode_videos([film_of(name) for name in FILMS])
    assert_close(store.pooled(list(FILMS)), expected.pooled_BD(), atol=1e-3, rtol=0)
    assert store.frame_counts(list(FILMS)).tolist() == [1] * len(FILMS)
    assert all(store.perceptual_hashes(list(FILMS)))


def test_a_model_of_sentence_transformers_is_called_as_by_hand(sentence_model, film_of):
    from sentence_transformers import SentenceTransformer

    encoder = load(model=str(sentence_model), dtype="float32", sampler="mteb", frames="3", side="24")
    library = SentenceTransformer(str(sentence_model), device="cpu")
    pictures = {name: pictures_of(film_of(name), 3, 24) for name in ("rising", "dark")}
    by_hand = library.encode_document([{"image": shown} for shown in pictures.values()], convert_to_tensor=True)
    found = encoder.encode_videos([film_of(name) for name in pictures])
    assert_close(found.frames_BTD[:, 0], F.normalize(by_hand, dim=-1), **CLOSE)
    item = encoder.read_clip(film_of("rising"))
    (query_D,) = encoder.encode_items([EmbeddingInput("a red ball", item.frames, item.clip)], "query", None)
    asked = library.encode_query([{"text": "a red ball", "image": pictures["rising"]}], convert_to_tensor=True)
    assert_close(query_D, F.normalize(asked[0], dim=-1), **CLOSE)
    (told_D,) = encoder.encode_items([EmbeddingInput("a red ball")], "query", "blue sky")
    told = library.encode_query("a red ball", prompt="blue sky", convert_to_tensor=True)
    assert_close(told_D, F.normalize(told, dim=-1), **CLOSE)


def pictures_of(video, count, side):
    frames = read_frames(video.path, count, "mteb")
    return [Image.fromarray(frame).resize((side, side), Image.Resampling.BICUBIC) for frame in frames]


def test_a_still_is_a_picture(sentence_model, tmp_path):
    Image.new("RGB", (20, 20), "red").save(tmp_path / "red.png")
    encoder = load(model=str(sentence_model), dtype="float32")
    found = encoder.encode_videos([Video("red", tmp_path / "red.png")])
    by_hand = encoder.model.model.encode_document(
        [{"image": Image.new("RGB", (20, 20), "red")}], convert_to_tensor=True
    )
    assert_close(found.frames_BTD[0], F.normalize(by_hand, dim=-1), **CLOSE)


def test_memory_that_is_too_small_halves_the_batch(sentence_model, film_of):
    encoder = load(model=str(sentence_model), dtype="float32", batch_size="8")
    library, sizes = encoder.model.model, []

    class Small:
        def encode_document(self, inputs, *, batch_size, **options):
            sizes.append(batch_size)
            if batch_size > 2:
                raise RuntimeError("CUDA out of memory. Tried to allocate")
            return library.encode_document(inputs, batch_size=batch_size, **options)

        supports = library.supports

    whole = encoder.encode_videos([film_of(name) for name in FILMS])
    encoder.model.model = Small()
    again = encoder.encode_videos([film_of(name) for name in FILMS])
    encoder.encode_videos([film_of("dark")])
    encoder.model.model = library
    assert sizes == [8, 4, 2, 2]
    assert_close(again.frames_BTD, whole.frames_BTD, **CLOSE)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "nobody/no-such-model"}, "neither a folder of sentence-transformers nor a reachable model"),
        ({"model": MODEL, "sampler": "fps@none"}, "as in fps@2"),
        ({"model": MODEL, "frames": "0"}, "frames"),
    ],
)
def test_what_cannot_be_is_one_line(options, said):
    with pytest.raises(CvrError, match=said) as told:
        load(**options)
    assert "\n" not in str(told.value)


def test_a_model_without_films_or_too_narrow_is_one_line(sentence_folder, sentence_model):
    with pytest.raises(CvrError, match=r"takes no videos, only text; .* --encoder mteb"):
        load(model=str(sentence_folder))
    with pytest.raises(CvrError, match=r"gives embeddings of 16; dim=99 is more"):
        load(model=str(sentence_model), dim="99")
    with pytest.raises(CvrError, match=r"TwoMeans has neither the encode of MTEB 2 nor .* --encoder mteb"):
        load(model="tests.cvr_data.features.encoders.test_sentence_transformers:TwoMeans")
    with pytest.raises(CvrError, match="embeds whole videos, as MTEB 2 has it: --encoder embedder"), naming([MODEL]):
        ENCODERS.get("mteb").load(ENCODERS.config("mteb", {"model": MODEL}))


def test_a_video_without_a_file_is_no_video(tmp_path):
    write_mp4(tmp_path / "a.mp4", np.zeros((2, 16, 16, 3), np.uint8))
    with pytest.raises(UnreadableVideo, match="has no file"):
        load(model=MODEL).encode_videos([Video("b")])


class Watcher:
    """A model with MTEB's signature that reads no column but that of videos: how bright the last frame is."""

    def encode(self, inputs, *, task_metadata, **kwargs):
        last = [video[-1].float().mean() for batch in inputs for video in batch["video"]]
        return torch.stack([torch.stack(last), torch.full((len(last),), 100.0)], dim=1)


class TokenByToken:
    """A model that gives a vector per token of a text."""

    def encode(self, inputs, *, task_metadata, **kwargs):
        return [torch.ones(len(text), 4) for batch in inputs for text in batch["text"]]


def test_a_model_of_videos_alone_gives_features_and_says_so_where_texts_are_asked(videos, film_of, cvr, tmp_path):
    model = f"{__name__}:Watcher"
    encoder = load(model=model)
    assert (encoder.dim, encoder.text_dim) == (2, 0)
    expected = F.normalize(torch.tensor([25.0, 100.0]), dim=0)
    assert_close(encoder.encode_videos([film_of("dark")]).frames_BTD[0, 0], expected, atol=0.01, rtol=0)
    item = encoder.read_clip(film_of("dark"))
    with pytest.raises(CvrError, match="embeds videos only, no texts"):
        encoder.encode_items([EmbeddingInput("a text", item.frames, item.clip)], "query", None)
    words = ("--trust", model, "embed", videos, "--encoder", "embedder", "-o", f"model={model}", "-O", tmp_path / "out")
    assert cvr(*words).code == 0
    assert FeatureStore.open(tmp_path / "out").text_dim == 0
    words = (
        "--trust",
        model,
        "bench",
        "-e",
        tmp_path / "out",
        "--data",
        write_film_triplets(videos.parent),
        "--no-audit",
    )
    assert cvr(*words, "--model", "visual-only", "-O", tmp_path).code == 0
    done = cvr(*words, "--model", "embedder", "-O", tmp_path)
    assert done.code == 2 and "embeds videos only, no texts" in done.err


def test_a_model_with_a_vector_per_token_is_one_line():
    with pytest.raises(CvrError, match="no single vector for each of 1 items, but perhaps one per token"):
        load(model=f"{__name__}:TokenByToken")


class Listener:
    """A model with MTEB's signature: how loud the sound is, and how much of it there is."""

    def encode(self, inputs, *, task_metadata, hf_split, hf_subset, prompt_type=None, **kwargs):
        rows = []
        for batch in inputs:
            assert ("audio" in batch) == ("audio" in task_metadata.modalities)
            for number in range(len(next(iter(batch.values())))):
                sound = batch["audio"][number] if "audio" in batch else {"array": np.zeros(1), "sampling_rate": 1}
                rows.append([np.abs(sound["array"]).mean(), len(sound["array"]) / sound["sampling_rate"], 1.0])
        return np.array(rows)


def test_sound_goes_with_the_films_that_have_some(film_of, tmp_path):
    model = f"{__name__}:Listener"
    sounding, mute = Video("sounding", write_sounding_film(tmp_path / "tone.mp4")), film_of("dark")
    hearing, deaf = load(model=model, audio="true"), load(model=model)
    found = hearing.encode_videos([sounding, mute, sounding]).frames_BTD[:, 0]
    loud = 0.5 * 2 / np.pi / 2  # half of the time, a sine of half the full strength
    assert_close(found[0], F.normalize(torch.tensor([loud, 2.0, 1.0]), dim=0), atol=0.03, rtol=0)
    assert_close(found[2], found[0])
    assert_close(found[1], deaf.encode_videos([sounding]).frames_BTD[0, 0])
