"""Real multimodal classes, tiny and random: films, texts and both in one input, as their libraries embed them by hand.

`make test-embedders`: video processors need torchvision, whose build must fit that of torch, so this has an
environment of its own, as vLLM has.
"""

import importlib.util

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from cvr_data.core.trust import naming
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.encoders.networks.embedding_input import EmbeddingInput
from cvr_data.media.video import Video, read_frames_and_note
from tests.native_embedders import FILMS, write_films

if importlib.util.find_spec("torchvision") is None or importlib.util.find_spec("mteb") is None:
    pytest.skip("`make test-embedders` makes an environment with torchvision and mteb", allow_module_level=True)

from tests.embedders.tiny_multimodal import save_cross_encoder, save_sentence, save_xclip

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]
CLOSE = {"atol": 1e-5, "rtol": 1e-4}
XCLIP, WRAPPED = f"{__name__}:xclip_of_mteb", f"{__name__}:sentence_model_of_mteb"


def xclip_of_mteb(folder):
    """MTEB's own wrapper of X-CLIP, on a folder."""
    from mteb.models.model_implementations.xclip_models import XCLIPModel

    return XCLIPModel(folder, None, device="cpu", num_frames=4)


def sentence_model_of_mteb(folder):
    """MTEB's own wrapper of sentence-transformers, whose collator takes two frames a second."""
    from mteb.models.sentence_transformer_wrapper import SentenceTransformerEncoderWrapper

    wrapper = SentenceTransformerEncoderWrapper(folder, device="cpu", fps=2, max_frames=64)
    told = {"modalities": ["text", "video"]}  # of a folder it knows only that it reads texts
    wrapper.mteb_model_meta = wrapper.mteb_model_meta.model_copy(update=told)
    return wrapper


def load(**options):
    with naming(options.values()):
        return ENCODERS.get("embedder").load(ENCODERS.config("embedder", {"dtype": "float32", **options}))


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    videos = write_films(tmp_path_factory.mktemp("films"))
    return {name: Video(name, videos.parent / "media" / f"{name}.mp4") for name in FILMS}


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    return save_sentence(tmp_path_factory.mktemp("qwen"))


@pytest.fixture(scope="module")
def xclip(tmp_path_factory):
    return save_xclip(tmp_path_factory.mktemp("xclip"))


def by_hand(library, video, text, side):
    """One item as one would write it who calls the library: sampled frames, and when they are shown."""
    frames = read_frames_and_note(video.path, 64, "fps@2")
    metadata = {"total_num_frames": 8, "fps": 4.0, "duration": 2.0, "frames_indices": list(frames.places)}
    item = {"video": {"array": torch.from_numpy(frames.pixels).permute(0, 3, 1, 2), "video_metadata": metadata}}
    encode = library.encode_query if side == "query" else library.encode_document
    options = {"processing_kwargs": {"video": {"do_sample_frames": False}}, "convert_to_tensor": True}
    return F.normalize(encode([item if text is None else {"text": text, **item}], **options)[0], dim=-1)


def test_qwen3_vl_embeds_films_and_queries_as_by_hand(qwen, films):
    from sentence_transformers import SentenceTransformer

    encoder, library = load(model=str(qwen)), SentenceTransformer(str(qwen), device="cpu")
    found = encoder.encode_videos(list(films.values())).frames_BTD[:, 0]
    for row, video in enumerate(films.values()):
        assert_close(found[row], by_hand(library, video, None, "document"), **CLOSE)
    items = [encoder.read_clip(video) for video in films.values()]
    asked = [EmbeddingInput(f"make it {name}", each.frames, each.clip) for name, each in zip(films, items, strict=True)]
    queries = encoder.encode_items(asked, "query", None)
    for row, (name, video) in enumerate(films.items()):
        assert_close(queries[row], by_hand(library, video, f"make it {name}", "query"), **CLOSE)
    assert (found @ found.T - torch.eye(len(films))).abs().max() < 0.9999  # no two films have one vector


def test_qwen3_vl_sees_the_order_and_the_number_of_frames(qwen, films):
    two, four = (load(model=str(qwen), sampler="fps@1", frames=frames) for frames in ("2", "4"))
    rising, falling = (two.encode_videos([films[name]]).frames_BTD[0, 0] for name in ("rising", "falling"))
    assert (rising @ falling) < 0.9999
    assert (four.encode_videos([films["rising"]]).frames_BTD[0, 0] @ rising) < 0.99999


def test_mtebs_wrapper_of_the_same_model_embeds_as_it_does_by_hand(qwen, films):
    """Its collator takes the frames that the sampler `mteb` takes, and tells the model no times."""
    from sentence_transformers import SentenceTransformer

    wrapped, library = load(model=WRAPPED, argument=str(qwen)), SentenceTransformer(str(qwen), device="cpu")
    assert wrapped.model.takes_frames and wrapped.dim == 32
    found = wrapped.encode_videos(list(films.values())).frames_BTD[:, 0]
    for row, video in enumerate(films.values()):
        frames_TCHW = torch.from_numpy(read_frames_and_note(video.path, 64, "mteb@2").pixels).permute(0, 3, 1, 2)
        by_hand_D = library.encode_document([{"video": frames_TCHW}], convert_to_tensor=True)[0]
        assert_close(found[row], F.normalize(by_hand_D, dim=-1), **CLOSE)
    asked = library.encode_query(["make it blue"], convert_to_tensor=True)
    assert_close(wrapped.encode_texts(["make it blue"]).pooled_BD, F.normalize(asked, dim=-1), **CLOSE)


def test_mtebs_x_clip_embeds_as_by_hand(xclip, films):
    from transformers import XCLIPModel, XCLIPProcessor

    encoder = load(model=XCLIP, argument=str(xclip))
    model, processor = XCLIPModel.from_pretrained(xclip).eval(), XCLIPProcessor.from_pretrained(xclip)
    video, text = films["rising"], "make it red"
    frames = read_frames_and_note(video.path, 4, "mteb").pixels
    with torch.no_grad():
        film_D = model.get_video_features(**processor.image_processor([list(frames)], return_tensors="pt"))
        text_D = model.get_text_features(**processor(text=[text], return_tensors="pt"))
    film_D, text_D = (getattr(each, "pooler_output", each)[0] for each in (film_D, text_D))
    assert_close(encoder.encode_videos([video]).frames_BTD[0, 0], F.normalize(film_D, dim=-1), **CLOSE)
    item = encoder.read_clip(video)
    (both_D,) = encoder.encode_items([EmbeddingInput(text, item.frames, item.clip)], "query", None)
    assert_close(both_D, F.normalize(film_D + text_D, dim=-1), **CLOSE)


def test_a_cross_encoder_scores_pairs_of_films_as_by_hand(films, tmp_path_factory):
    from sentence_transformers import CrossEncoder

    from cvr_bench.models import cross_encoder
    from cvr_bench.tasks.task import Item, Query

    folder = save_cross_encoder(tmp_path_factory.mktemp("cross"))
    videos = films["rising"].path.parent.parent / "videos"
    config = cross_encoder.Config(model=str(folder), videos=videos, dtype="float32")
    model = cross_encoder.load(config, ENCODERS.get("hash").load(ENCODERS.config("hash")))
    found = model.rescore(Query("q", Item("rising", films["rising"]), "make it dark"), list(films))
    library = CrossEncoder(str(folder), device="cpu")

    def shown(video):
        frames = read_frames_and_note(video.path, 64, "fps@2")
        return torch.from_numpy(frames.pixels).permute(0, 3, 1, 2), list(frames.places)

    reference, places = shown(films["rising"])
    times = {"total_num_frames": 8, "fps": 4.0, "duration": 2.0, "frames_indices": places}
    sampled = {"video": {"do_sample_frames": False, "video_metadata": [times, times]}}
    query, options = {"text": "make it dark", "video": reference}, {"activation_fn": torch.nn.Identity()}
    for name, score in zip(films, found.tolist(), strict=True):
        pair = (query, {"video": shown(films[name])[0]})
        by_hand = library.predict([pair], processing_kwargs=sampled, **options)
        assert score == pytest.approx(float(by_hand[0]), abs=1e-4)
    assert found.unique().numel() > 1
