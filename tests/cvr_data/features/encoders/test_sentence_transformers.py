"""sentence-transformers and mteb: any model of the library, and any model with its methods."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch.testing import assert_close

from cvr_data.core.errors import CvrError
from cvr_data.core.trust import naming
from cvr_data.features.encoders import ENCODERS
from cvr_data.media.video import Video, write_mp4

TEXTS = ["a red dog", "the cat and the dog", ""]
CLOSE = {"atol": 1e-5, "rtol": 1e-4}


class TwoMeans:
    """A model with MTEB's methods: the mean colour of an image, and the mean letter of a text."""

    def get_image_embeddings(self, batches, show_progress_bar=True):
        return np.concatenate([[np.asarray(image).mean(axis=(0, 1)) for image in batch["image"]] for batch in batches])

    def get_text_embeddings(self, batches, show_progress_bar=True):
        texts = [text for batch in batches for text in batch["text"]]
        return torch.tensor([[len(text), sum(map(ord, text)), 1.0] for text in texts])


def load(kind, **options):
    with naming(options.values()):
        return ENCODERS.get(kind).load(ENCODERS.config(kind, options))


def test_texts_equal_the_library(sentence_folder):
    from sentence_transformers import SentenceTransformer

    encoder = load("sentence-transformers", model=str(sentence_folder), dtype="float32")
    features = encoder.encode_texts(TEXTS)
    library = SentenceTransformer(str(sentence_folder), device="cpu")
    assert_close(features.pooled_BD, F.normalize(library.encode(TEXTS, convert_to_tensor=True), dim=-1), **CLOSE)
    for row, text in enumerate(TEXTS):
        expected_LD = library.encode([text], output_value="token_embeddings")[0]
        assert_close(features.tokens_BLD[row, features.mask_BL[row]], expected_LD, **CLOSE)
    assert (encoder.dim, encoder.text_dim) == (0, 32)


def test_a_prompt_is_part_of_the_text_and_a_long_text_is_cut(sentence_folder):
    plain, asked, short = (
        load("sentence-transformers", model=str(sentence_folder), dtype="float32", **options)
        for options in ({}, {"prompt": "find: "}, {"max_tokens": "4"})
    )
    assert_close(asked.encode_texts(["a dog"]).pooled_BD, plain.encode_texts(["find: a dog"]).pooled_BD)
    assert short.encode_texts(["a dog " * 20]).mask_BL.shape == (1, 4)


def test_a_model_without_tokens_gives_its_text_embedding_as_the_only_one(clip_folder):
    features = load("sentence-transformers", model=str(clip_folder), dtype="float32").encode_texts(TEXTS)
    assert features.mask_BL.tolist() == [[True]] * 3
    assert_close(F.normalize(features.tokens_BLD[:, 0], dim=-1), features.pooled_BD)


def test_a_missing_sentence_model_is_one_line():
    with pytest.raises(CvrError, match="neither a folder of sentence-transformers nor a reachable model") as told:
        load("sentence-transformers", model="nobody/no-such-model")
    assert "\n" not in str(told.value)


def test_a_video_is_refused_with_the_encoder_to_use(sentence_folder):
    with pytest.raises(CvrError, match="--encoder mteb"):
        load("sentence-transformers", model=str(sentence_folder)).encode_videos([Video("a")])


def test_a_multimodal_sentence_transformer_encodes_frames_and_texts(clip_folder, frames):
    options = {"model": "sentence_transformers:SentenceTransformer", "argument": str(clip_folder), "size": "40"}
    encoder = load("mteb", **options)
    prepared = encoder.preprocessing.fit_frames(frames)
    library, images = encoder.model, [Image.fromarray(frame) for frame in prepared]
    expected_ND = F.normalize(library.encode(images, convert_to_tensor=True), dim=-1)
    assert_close(encoder.encode_frames(prepared), expected_ND, **CLOSE)
    texts = encoder.encode_texts(TEXTS)
    assert_close(texts.pooled_BD, F.normalize(library.encode(TEXTS, convert_to_tensor=True), dim=-1), **CLOSE)
    assert texts.tokens_BLD.shape == (3, 1, encoder.dim)


def test_a_model_with_mtebs_methods_is_called_in_batches(tmp_path, frames):
    encoder = load("mteb", model=f"{__name__}:TwoMeans", size="16", batch_size="2", normalise="false", frames="3")
    write_mp4(tmp_path / "a.mp4", np.full((6, 32, 32, 3), 128, np.uint8))
    features = encoder.encode_videos([Video("a", tmp_path / "a.mp4")])
    assert_close(features.frames_BTD, torch.full((1, 3, 3), 128.0), atol=4.0, rtol=0)
    assert_close(encoder.encode_texts(["ab", "c", "dd"]).tokens_BLD[:, 0, 1], torch.tensor([195.0, 99.0, 200.0]))
    assert encoder.encode_texts([]).pooled_BD.shape == (0, 3)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("no_colon", "should look like package.module:name"),
        ("no_such_module_here:Model", "no module named 'no_such_module_here'"),
        ("json:Nothing", "json has no 'Nothing'"),
        ("collections:Counter", "has neither encode nor"),
    ],
)
def test_a_model_that_is_none_is_one_line(model, said):
    with pytest.raises(CvrError, match=said):
        load("mteb", model=model)
