"""minilm: the same numbers as sentence-transformers, per text and per token."""

import pytest
import torch
from torch.testing import assert_close

from cvr_data.core.errors import CvrError
from cvr_data.core.model_packages import packaged_file_path
from cvr_data.features.encoders import minilm
from cvr_data.media.video import Video

TEXTS = [
    "a woman walks on the beach at sunset",
    "a dog",
    "Café, naïve: 3 red-and-white balls bounce!",
    "",
    "slow motion of a large purple striped star that moves left over the calm sea while the camera zooms in",
]

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def encoder():
    return minilm.load(minilm.Config(dtype="float32"))


@pytest.mark.filterwarnings("ignore")
def test_equals_sentence_transformers(encoder):
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(packaged_file_path("minilm")), device="cpu", local_files_only=True)
    features = encoder.encode_texts(TEXTS)
    assert_close(features.pooled_BD, reference.encode(TEXTS, convert_to_tensor=True), atol=1e-5, rtol=0)
    tokens = reference.encode(TEXTS, output_value="token_embeddings")
    for row, expected_LD in enumerate(tokens):
        assert_close(features.tokens_BLD[row, features.mask_BL[row]], expected_LD, atol=1e-4, rtol=0)


def test_a_text_does_not_depend_on_its_batch_or_order(encoder):
    together = encoder.encode_texts(TEXTS)
    for row, text in enumerate(TEXTS):
        alone = encoder.encode_texts([text])
        assert_close(alone.pooled_BD[0], together.pooled_BD[row], atol=1e-5, rtol=0)
    assert_close(encoder.encode_texts(TEXTS[::-1]).pooled_BD.flip(0), together.pooled_BD, atol=1e-5, rtol=0)


def test_how_texts_are_cut_into_batches_does_not_matter(encoder, monkeypatch):
    texts = [f"{'very ' * (number % 7)}small dog {number}" for number in range(40)]
    expected = encoder.encode_texts(texts)
    monkeypatch.setattr(minilm, "TOKENS", 30)
    features = encoder.encode_texts(texts)
    assert_close(features.tokens_BLD, expected.tokens_BLD, atol=1e-5, rtol=0)
    assert torch.equal(features.mask_BL, expected.mask_BL)


def test_a_text_longer_than_a_batch_is_a_batch_of_its_own():
    assert minilm._batches([[1] * 3, [2] * 2000, [3] * 1500]) == [[[1] * 3], [[2] * 2000], [[3] * 1500]]


def test_padding_is_zero_and_masked(encoder):
    features = encoder.encode_texts(TEXTS)
    assert features.tokens_BLD[~features.mask_BL].count_nonzero() == 0
    assert features.mask_BL.any(dim=1).all()
    assert_close(features.pooled_BD.norm(dim=1), torch.ones(len(TEXTS)))


def test_bfloat16_points_where_float32_does(encoder):
    rough = minilm.load(minilm.Config(dtype="bfloat16")).encode_texts(TEXTS)
    assert (rough.pooled_BD * encoder.encode_texts(TEXTS).pooled_BD).sum(dim=1).min() > 0.999


def test_a_long_text_is_cut():
    encoder = minilm.load(minilm.TINY)
    assert encoder.encode_texts(["word " * 100]).mask_BL.shape == (1, minilm.TINY.max_tokens)


def test_no_text_gives_empty_features(encoder):
    assert encoder.encode_texts([]).pooled_BD.shape == (0, 384)


def test_a_video_is_refused_with_the_encoder_to_use(encoder):
    with pytest.raises(CvrError, match="'embedded' takes videos"):
        encoder.encode_videos([Video("a")])
