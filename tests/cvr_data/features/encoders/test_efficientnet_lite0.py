"""efficientnet_lite0: the released network's own numbers, whatever the batch."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from cvr_data.core.errors import CvrError
from cvr_data.core.model_packages import packaged_file_path
from cvr_data.features.encoders import efficientnet_lite0
from cvr_data.features.encoders.efficientnet_lite0 import (
    EfficientNetLite0,
    SameConv2d,
    fold_encoder_norms,
    load_efficientnet_encoder,
)
from cvr_data.media.video import UnreadableVideo, Video, write_mp4

# The six largest of 1280 features of two images, and their class, by efficientnet-lite-pytorch 0.1.0 (float32).
LARGEST = [
    {113: 5.22103, 848: 4.29375, 287: 4.01327, 282: 3.68256, 576: 3.50932, 1103: 3.48179},
    {113: 5.46345, 1085: 5.19568, 576: 3.65809, 27: 3.60233, 949: 3.47459, 332: 3.37983},
]
MEANS = [0.15157826, 0.12352452]
CLASS, LOGITS = 905, [8.69568, 6.67131]


@pytest.fixture(scope="module")
def images_NCHW():
    steps = torch.arange(3 * 224 * 224, dtype=torch.float64).view(1, 3, 224, 224)
    return torch.cat([torch.sin(steps / 37), torch.cos(steps / 1013) * 1.5]).float()


@pytest.mark.engine
@torch.no_grad()
def test_features_are_those_of_the_reference_implementation(images_NCHW):
    network = load_efficientnet_encoder(str(packaged_file_path("efficientnet-lite0")))
    features_ND = network(images_NCHW)
    for features_D, largest, mean in zip(features_ND, LARGEST, MEANS, strict=True):
        assert set(features_D.topk(6).indices.tolist()) == set(largest)
        assert_close(features_D[list(largest)], torch.tensor(list(largest.values())), atol=1e-4, rtol=0)
        assert features_D.mean().item() == pytest.approx(mean, abs=1e-5)
    logits = network._fc(features_ND)
    assert logits.argmax(dim=1).tolist() == [CLASS, CLASS]
    assert_close(logits[:, CLASS], torch.tensor(LOGITS), atol=1e-4, rtol=0)


@torch.no_grad()
def test_folding_the_normalisations_changes_nothing(images_NCHW):
    torch.manual_seed(0)
    network = EfficientNetLite0()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    images = images_NCHW[:, :, :64, :64]
    expected = network.eval()(images)
    assert_close(fold_encoder_norms(network)(images), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [7, 8, 13])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 2), (1, 1)])
def test_padding_is_as_tensorflow_defines_same(size, kernel, stride):
    convolution = SameConv2d(1, 1, kernel, stride=stride, bias=False)
    image = torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(0))
    out = -(-size // stride)
    total = max((out - 1) * stride + kernel - size, 0)
    before = total // 2
    wide = torch.zeros(size + total, size + total)
    wide[before : before + size, before : before + size] = image[0, 0]
    with torch.no_grad():
        expected = [
            [(wide[r * stride : r * stride + kernel, c * stride : c * stride + kernel] * convolution.weight[0, 0]).sum()
             for c in range(out)]
            for r in range(out)
        ]  # fmt: skip
        assert_close(convolution(image)[0, 0], torch.tensor(expected))


@pytest.mark.engine
def test_a_frame_does_not_depend_on_its_batch():
    encoder = efficientnet_lite0.load(efficientnet_lite0.Config(size=64, dtype="float32"))
    frames = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), dtype=np.uint8)
    together_ND = encoder.encode_frames(frames)
    assert_close(encoder.encode_frames(frames[17:19]), together_ND[17:19], atol=1e-4, rtol=1e-4)


@pytest.mark.engine
@pytest.mark.parametrize(("size", "halves"), [(64, ((0, 1), (1, 2))), (96, ((0, 2), (1, 3)))])
@torch.no_grad()
def test_tokens_are_the_quarters_of_the_last_map_and_share_the_middle_of_an_odd_one(size, halves):
    encoder = efficientnet_lite0.load(efficientnet_lite0.Config(size=size, dtype="float32"))
    frames = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
    tokens_NPD = encoder.encode_frame_tokens(frames)
    normal = (frames - np.array(efficientnet_lite0.MEAN)) / np.array(efficientnet_lite0.SCALE)
    map_NCHW = encoder._network.feature_map(torch.from_numpy(normal.transpose(0, 3, 1, 2)).float())
    quarters = [map_NCHW[:, :, top:down, left:right] for top, down in halves for left, right in halves]
    assert tokens_NPD.shape == (3, 4, encoder.frame_token_dim)
    assert_close(tokens_NPD, torch.stack([each.mean(dim=(2, 3)) for each in quarters], dim=1), atol=1e-4, rtol=1e-4)
    assert encoder.encode_frame_tokens(frames[:0]).shape == (0, 4, 1280)


@pytest.mark.engine
def test_bfloat16_points_where_float32_does():
    frames = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    both = [
        efficientnet_lite0.load(efficientnet_lite0.Config(size=64, dtype=dtype)).encode_frames(frames)
        for dtype in ("float32", "bfloat16")
    ]
    assert F.cosine_similarity(*both).min() > 0.99


@pytest.mark.engine
def test_a_shorter_video_is_padded_and_masked(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), dtype=np.uint8)
    write_mp4(tmp_path / "long.mp4", frames)
    write_mp4(tmp_path / "short.mp4", frames[:1])
    encoder = efficientnet_lite0.load(efficientnet_lite0.TINY)
    features = encoder.encode_videos([Video("a", tmp_path / "short.mp4"), Video("b", tmp_path / "long.mp4")])
    assert features.frames_BTD.shape == (2, 2, 1280)
    assert features.mask_BT.tolist() == [[True, False], [True, True]]
    assert features.frames_BTD[0, 1].count_nonzero() == 0


def test_a_video_without_a_file_is_unreadable():
    encoder = efficientnet_lite0.load(efficientnet_lite0.TINY)
    with pytest.raises(UnreadableVideo, match="video7: the video has no file"):
        encoder.read_video(Video("video7"))


def test_a_text_is_refused_with_the_encoder_to_use():
    with pytest.raises(CvrError, match="'embedded' takes texts"):
        efficientnet_lite0.load(efficientnet_lite0.TINY).encode_texts(["a dog"])
