"""clip, siglip, blip and blip2: the same numbers as the models of transformers and their own processors."""

import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.encoders.networks.clean_caption import clean_text_for_encoder
from cvr_data.features.protocol import FrameTokenEncoder
from cvr_data.features.store import FeatureStore
from cvr_data.media.video import UnreadableVideo, Video, write_mp4

pytestmark = pytest.mark.slow

TEXTS = ["a red dog", "the cat and the dog", "", "a dog and a cat and a dog and a cat and a dog and a cat and one dog"]
KINDS = ["clip", "siglip", "blip", "blip2"]
CLOSE = {"atol": 1e-5, "rtol": 1e-4}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def folder(kind, request):
    return request.getfixturevalue(f"{kind}_folder")


@pytest.fixture
def encoder(kind, folder):
    return load(kind, folder)


def load(kind, folder, **options):
    config = ENCODERS.config(kind, {"model": str(folder), "dtype": "float32", "frames": "2", **options})
    return ENCODERS.get(kind).load(config)


def processed(folder, frames):
    """Pixels by the checkpoint's own image processor, which needs no torchvision in its PIL form."""
    from transformers import AutoImageProcessor

    return AutoImageProcessor.from_pretrained(folder, backend="pil")(images=list(frames), return_tensors="pt")


def tokenized(folder, texts, length, **options):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    return tokenizer(texts, truncation=True, max_length=length, return_tensors="pt", **options)


@torch.no_grad()
def reference(kind, folder, frames, texts):
    """(frame features, text features), unit length, through each model's own forward."""
    import transformers

    pixels = processed(folder, frames)["pixel_values"]
    if kind == "clip":
        model = transformers.CLIPModel.from_pretrained(folder).eval()
        out = model(pixel_values=pixels, **tokenized(folder, texts, 16, padding=True))
        return out.image_embeds, out.text_embeds
    if kind == "siglip":
        model = transformers.SiglipModel.from_pretrained(folder).eval()
        ids = tokenized(folder, texts, 16, padding="max_length")["input_ids"]
        out = model(pixel_values=pixels, input_ids=ids)
        return out.image_embeds, out.text_embeds
    words = tokenized(folder, texts, 30 if kind == "blip" else 32, padding=True, return_token_type_ids=False)
    if kind == "blip2":
        model = transformers.Blip2ForImageTextRetrieval.from_pretrained(folder).eval()
        rows = [model(pixel_values=pixels[:1], **{name: ids[row : row + 1] for name, ids in words.items()})
                for row in range(len(texts))]  # fmt: skip
        images = [model(pixel_values=each[None], **{name: ids[:1] for name, ids in words.items()}).image_embeds
                  for each in pixels]  # fmt: skip
        return F.normalize(torch.cat(images).mean(dim=1), dim=-1), torch.cat([row.text_embeds for row in rows])
    model = transformers.BlipForImageTextRetrieval.from_pretrained(folder).eval()
    images = F.normalize(model.vision_proj(model.vision_model(pixels)[0][:, 0]), dim=-1)
    return images, F.normalize(model.text_proj(model.text_encoder(**words)[0][:, 0]), dim=-1)


def test_frames_and_texts_equal_the_library(kind, folder, encoder, frames):
    images_ND, texts_BD = reference(kind, folder, frames, TEXTS)
    prepared = encoder.towers.preprocessing.fit_frames(frames)
    assert_close(encoder.encode_frames(prepared), images_ND, **CLOSE)
    assert_close(encoder.encode_texts(TEXTS).pooled_BD, texts_BD, **CLOSE)


def test_pixels_equal_the_checkpoints_own_processor(folder, encoder, frames):
    preprocessing = encoder.towers.preprocessing
    wide = np.ascontiguousarray(frames.transpose(0, 2, 1, 3))
    for some in (frames, wide, frames[:, :61], frames[:, :33, :40]):
        ours = preprocessing.pixels(torch.from_numpy(preprocessing.fit_frames(some)), torch.device("cpu"))
        assert_close(ours, processed(folder, some)["pixel_values"], atol=1e-6, rtol=0)


def test_blip2_scores_are_the_largest_over_its_query_tokens(blip2_folder, frames):
    from transformers import Blip2ForImageTextRetrieval

    encoder = load("blip2", blip2_folder)
    tokens_NPD = encoder.encode_frame_tokens(encoder.towers.preprocessing.fit_frames(frames))
    text_D = encoder.encode_texts(TEXTS[:1]).pooled_BD[0]
    model = Blip2ForImageTextRetrieval.from_pretrained(blip2_folder).eval()
    words = tokenized(blip2_folder, TEXTS[:1], 32, return_token_type_ids=False)
    with torch.no_grad():
        expected = model(pixel_values=processed(blip2_folder, frames)["pixel_values"][:1], **words).logits_per_image
    assert tokens_NPD.shape == (5, 4, 20)
    assert_close((tokens_NPD[0] @ text_D).max(), expected[0, 0], **CLOSE)


def test_blip2_gives_what_its_q_former_looks_at(blip2_folder, frames):
    from transformers import Blip2ForImageTextRetrieval

    encoder = load("blip2", blip2_folder, tokens="vision")
    prepared = encoder.towers.preprocessing.fit_frames(frames)
    model = Blip2ForImageTextRetrieval.from_pretrained(blip2_folder).eval()
    with torch.no_grad():
        expected = model.vision_model(processed(blip2_folder, frames)["pixel_values"]).last_hidden_state
    assert encoder.frame_token_dim == 32
    assert_close(encoder.encode_frame_tokens(prepared), expected, **CLOSE)
    assert_close(encoder.encode_frames(prepared), load("blip2", blip2_folder).encode_frames(prepared))


def test_the_frame_feature_is_the_projected_first_token_of_all(clip_folder, blip_folder, frames):
    for kind, folder, project in (("clip", clip_folder, "visual_projection"), ("blip", blip_folder, "vision_proj")):
        encoder = load(kind, folder, normalise="false")
        prepared = encoder.towers.preprocessing.fit_frames(frames)
        tokens_NPD = encoder.encode_frame_tokens(prepared)
        assert tokens_NPD.shape == (5, 17, encoder.frame_token_dim)
        projection = getattr(encoder.towers.network, project)
        assert_close(projection(tokens_NPD[:, 0]), encoder.encode_frames(prepared), **CLOSE)


def test_the_text_feature_is_one_of_its_tokens(kind, encoder):
    features = encoder.encode_texts(TEXTS)
    tokens_BLD = F.normalize(features.tokens_BLD, dim=-1)
    if kind == "siglip":  # the last place is padding unless the text fills the length: no kept token is the feature
        assert_close(tokens_BLD[3, -1], features.pooled_BD[3], **CLOSE)
        return
    at_B = features.mask_BL.sum(dim=1) - 1 if kind == "clip" else torch.zeros(len(TEXTS), dtype=torch.long)
    assert_close(tokens_BLD[torch.arange(len(TEXTS)), at_B], features.pooled_BD, **CLOSE)


def test_a_row_does_not_depend_on_its_batch(kind, folder, encoder, frames):
    prepared = encoder.towers.preprocessing.fit_frames(frames)
    together, texts = encoder.encode_frames(prepared), encoder.encode_texts(TEXTS)
    small = load(kind, folder, batch_size="2")
    assert_close(small.encode_frames(prepared), together, **CLOSE)
    alone = small.encode_texts(TEXTS[::-1])
    assert_close(alone.pooled_BD.flip(0), texts.pooled_BD, **CLOSE)
    assert_close(alone.tokens_BLD.flip(0), texts.tokens_BLD, **CLOSE)
    assert texts.tokens_BLD[~texts.mask_BL].count_nonzero() == 0


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_points_where_float32_does(kind, folder, encoder, frames, dtype):
    prepared = encoder.towers.preprocessing.fit_frames(frames)
    rough = load(kind, folder, dtype=dtype)
    assert F.cosine_similarity(rough.encode_frames(prepared), encoder.encode_frames(prepared)).min() > 0.999
    both = rough.encode_texts(TEXTS).pooled_BD * encoder.encode_texts(TEXTS).pooled_BD
    assert both.sum(dim=1).min() > 0.999
    assert rough.runs_on == f"cpu {dtype}"


def test_videos_of_several_lengths_are_padded_and_masked(encoder, frames, tmp_path):
    write_mp4(tmp_path / "long.mp4", frames[:, :64, :48])
    write_mp4(tmp_path / "short.mp4", frames[:1, :32, :60])
    features = encoder.encode_videos([Video("a", tmp_path / "short.mp4"), Video("b", tmp_path / "long.mp4")])
    assert features.frames_BTD.shape == (2, 2, encoder.dim)
    assert features.mask_BT.tolist() == [[True, False], [True, True]]
    with pytest.raises(UnreadableVideo, match="c: the video has no file"):
        encoder.read_video(Video("c"))


def test_nothing_in_gives_nothing_out(encoder):
    assert encoder.encode_texts([]).pooled_BD.shape == (0, encoder.text_dim)
    assert encoder.encode_videos([]).frames_BTD.shape == (0, 0, encoder.dim)
    assert isinstance(encoder, FrameTokenEncoder)


def test_torchvision_is_never_imported(encoder, frames):
    encoder.encode_frames(encoder.towers.preprocessing.fit_frames(frames))
    assert not [name for name in sys.modules if name.split(".")[0] == "torchvision"]


def test_missing_and_unexpected_weights_are_named(clip_folder, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    broken = shutil.copytree(clip_folder, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights["visual_projection.renamed"] = weights.pop("visual_projection.weight")
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        CvrError, match=r"missing: visual_projection.weight; unexpected: visual_projection.renamed"
    ) as told:
        load("clip", broken)
    assert "\n" not in str(told.value)
    (broken / "model.safetensors").unlink()
    with pytest.raises(CvrError, match="cannot be loaded as CLIPModel") as told:
        load("clip", broken)
    assert "\n" not in str(told.value)
    (broken / "config.json").unlink()
    with pytest.raises(CvrError, match=r"no config.json in this folder"):
        load("clip", broken)


def test_a_model_that_cannot_be_reached_is_one_line(kind):
    with pytest.raises(CvrError, match="neither a folder nor a reachable model on the hub") as told:
        load(kind, "nobody/no-such-model")
    assert "\n" not in str(told.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_told(clip_folder):
    with pytest.raises(CvrError, match="this PyTorch sees no GPU"):
        load("clip", clip_folder, device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_gives_what_the_cpu_gives(kind, folder, encoder, frames):
    prepared = encoder.towers.preprocessing.fit_frames(frames)
    other = load(kind, folder, device="cuda")
    assert_close(other.encode_frames(prepared), encoder.encode_frames(prepared), atol=1e-3, rtol=1e-3)
    assert_close(other.encode_texts(TEXTS).pooled_BD, encoder.encode_texts(TEXTS).pooled_BD, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", ["clip", "clip-openai", "blip2"])
def test_embed_encodes_videos_and_captions_from_a_folder(cvr, request, tmp_path, frames, merges, name):
    clips = tmp_path / "clips"
    clips.mkdir()
    for index, shape in enumerate([(64, 48), (32, 60), (90, 60)]):
        write_mp4(clips / f"v{index}.mp4", frames[: index + 2, : shape[0], : shape[1]])
    rows = [f"v{index},a red dog {index},v{index}.mp4" for index in range(3)]
    (clips / "captions.csv").write_text("\n".join(["video_id,caption,file", *rows, ""]))
    cvr.done("import", "table", clips / "captions.csv", "-o", "video=file", "--out", tmp_path / "videos")
    model = request.getfixturevalue(f"{name.split('-')[0]}_folder")
    options = ["-o", f"model={model}"]
    if name == "clip-openai":
        model = request.getfixturevalue("openai_file")
        options = ["-o", f"model={model}", "-o", f"tokenizer={merges}"]
    outcome = cvr.done("embed", tmp_path / "videos", "--encoder", name, *options, "--out", tmp_path / "embeddings")
    assert "3 videos, 3 texts" in outcome.out
    store = FeatureStore.open(tmp_path / "embeddings")
    encoder = ENCODERS.get(name).load(ENCODERS.config(name, dict(word.split("=", 1) for word in options[1::2])))
    fresh = encoder.encode_videos([Video("v1", clips / "v1.mp4")])
    assert_close(store.frames(["v1"]).frames_BTD, fresh.frames_BTD, atol=2e-3, rtol=0)
    text = encoder.encode_texts(["a red dog 1"])
    assert_close(store.texts(["a red dog 1"]).pooled_BD, text.pooled_BD, atol=2e-3, rtol=0)


def test_another_models_folder_is_refused(blip_folder):
    with pytest.raises(CvrError, match=r"not a CLIPModel|these are not the weights|cannot be loaded as CLIPModel"):
        load("clip", blip_folder)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ('Make it... "red" (now): #1; a*b~c', "make it red now 1 a b c"),
        ("What's a well-lit room, really?", "what's a well-lit room, really?"),
        ("word " * 40, " ".join(["word"] * 30)),
    ],
)
def test_texts_are_cleaned_as_covr_cleans_them(text, cleaned):
    assert clean_text_for_encoder(text) == cleaned
