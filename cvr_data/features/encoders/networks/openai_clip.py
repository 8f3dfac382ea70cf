"""OpenAI's CLIP as one small module whose parameters are named as in the released archives.

Source: Radford et al., ICML 2021 (https://arxiv.org/abs/2103.00020), code https://github.com/openai/CLIP. The widths,
depths and sizes are read off the shapes of the weights, as there: RN50, RN101, RN50x4, ViT-B/32, B/16 and L/14 differ
in nothing else. Attention is PyTorch's scaled dot product; the mathematics is the released model's.
"""

# Shapes: N images, C channels, H height, W width, P places, B texts, L tokens, D width.

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEAD_WIDTH = 64


class OpenAIClip(nn.Module):
    """Images and token ids -> features in one space."""

    def __init__(self, state: Mapping[str, Tensor]):
        super().__init__()
        width, dim = state["text_projection"].shape
        self.visual = VisionTransformer(state) if "visual.proj" in state else ModifiedResNet(state)
        self.transformer = Transformer(width, _count(state, "transformer.resblocks."))
        self.token_embedding = nn.Embedding(*state["token_embedding.weight"].shape)
        self.positional_embedding = nn.Parameter(torch.empty(state["positional_embedding"].shape))
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(width, dim))
        self.logit_scale = nn.Parameter(torch.empty(()))

    def texts(self, ids_BL: Tensor) -> Tensor:
        """Return tokens_BLD, projected; a token sees itself and those before it."""
        length = ids_BL.shape[1]
        tokens_BLD = self.token_embedding(ids_BL) + self.positional_embedding[:length]
        tokens_BLD = self.transformer(tokens_BLD, is_causal=True)
        return self.ln_final(tokens_BLD) @ self.text_projection


class QuickGELU(nn.Module):
    """The approximation of GELU that CLIP was trained with: x sigmoid(1.702 x)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape."""
        return x * torch.sigmoid(1.702 * x)


class Transformer(nn.Module):
    """Pre-norm blocks; a head is 64 wide."""

    def __init__(self, width: int, layers: int):
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width) for _ in range(layers))

    def forward(self, tokens_BLD: Tensor, is_causal: bool = False) -> Tensor:
        """Return tokens_BLD."""
        for block in self.resblocks:
            tokens_BLD = block(tokens_BLD, is_causal)
        return tokens_BLD


class Block(nn.Module):
    """Attention and a feed-forward network, each on normalised input and added to it."""

    def __init__(self, width: int):
        super().__init__()
        self.attn = SelfAttention(width)
        self.ln_1 = nn.LayerNorm(width)
        layers = {"c_fc": nn.Linear(width, 4 * width), "gelu": QuickGELU(), "c_proj": nn.Linear(4 * width, width)}
        self.mlp = nn.Sequential()
        for name, layer in layers.items():
            self.mlp.add_module(name, layer)
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, tokens_BLD: Tensor, is_causal: bool) -> Tensor:
        """Return tokens_BLD."""
        tokens_BLD = tokens_BLD + self.attn(self.ln_1(tokens_BLD), is_causal)
        return tokens_BLD + self.mlp(self.ln_2(tokens_BLD))


class SelfAttention(nn.Module):
    """Multi-head attention with the parameter names of nn.MultiheadAttention."""

    def __init__(self, width: int):
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, tokens_BLD: Tensor, is_causal: bool) -> Tensor:
        """Return tokens_BLD."""
        query, key, value = F.linear(tokens_BLD, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        return self.out_proj(_attend(query, key, value, is_causal=is_causal))


class VisionTransformer(nn.Module):
    """Pixels -> the class token's feature, or all tokens."""

    def __init__(self, state: Mapping[str, Tensor]):
        super().__init__()
        width, _, patch, _ = state["visual.conv1.weight"].shape
        places = len(state["visual.positional_embedding"])
        self.resolution = round((places - 1) ** 0.5) * patch
        self.token_dim = width
        self.conv1 = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty(places, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = Transformer(width, _count(state, "visual.transformer.resblocks."))
        self.proj = nn.Parameter(torch.empty(state["visual.proj"].shape))

    def forward(self, pixels_NCHW: Tensor) -> Tensor:
        """Return features_ND."""
        return self.tokens(pixels_NCHW)[:, 0] @ self.proj

    def tokens(self, pixels_NCHW: Tensor) -> Tensor:
        """Return tokens_NPD after the last normalisation, the class token first."""
        patches_NPD = self.conv1(pixels_NCHW).flatten(2).transpose(1, 2)
        first_N1D = self.class_embedding.to(patches_NPD.dtype).expand(len(patches_NPD), 1, -1)
        tokens_NPD = torch.cat([first_N1D, patches_NPD], dim=1) + self.positional_embedding
        return self.ln_post(self.transformer(self.ln_pre(tokens_NPD)))


class ModifiedResNet(nn.Module):
    """A ResNet with three stem convolutions, average pooling before strides, and attention for its last pooling."""

    def __init__(self, state: Mapping[str, Tensor]):
        super().__init__()
        width = len(state["visual.layer1.0.conv1.weight"])
        places, self.token_dim = state["visual.attnpool.positional_embedding"].shape
        self.resolution = round((places - 1) ** 0.5) * 32
        stem = (width // 2, width // 2, width)
        for index, (channels_in, channels) in enumerate(zip((3, *stem), stem, strict=False), 1):
            self.add_module(f"conv{index}", nn.Conv2d(channels_in, channels, 3, 2 if index == 1 else 1, 1, bias=False))
            self.add_module(f"bn{index}", nn.BatchNorm2d(channels))
        channels_in = width
        for stage in range(1, 5):
            planes, blocks = width * 2 ** (stage - 1), _count(state, f"visual.layer{stage}.")
            strides = [1 if stage == 1 else 2] + [1] * (blocks - 1)
            inputs = [channels_in] + [4 * planes] * (blocks - 1)
            bottlenecks = [Bottleneck(wide, planes, stride) for wide, stride in zip(inputs, strides, strict=True)]
            self.add_module(f"layer{stage}", nn.Sequential(*bottlenecks))
            channels_in = 4 * planes
        self.attnpool = AttentionPool(places, self.token_dim, len(state["visual.attnpool.c_proj.weight"]))

    def forward(self, pixels_NCHW: Tensor) -> Tensor:
        """Return features_ND."""
        return self.attnpool(self.tokens(pixels_NCHW))

    def tokens(self, pixels_NCHW: Tensor) -> Tensor:
        """Return the last feature map row by row, tokens_NPD: what attention pools."""
        map_NCHW = pixels_NCHW
        for index in (1, 2, 3):
            map_NCHW = F.relu(self.get_submodule(f"bn{index}")(self.get_submodule(f"conv{index}")(map_NCHW)))
        map_NCHW = F.avg_pool2d(map_NCHW, 2)
        for stage in range(1, 5):
            map_NCHW = self.get_submodule(f"layer{stage}")(map_NCHW)
        return map_NCHW.flatten(2).transpose(1, 2)


class Bottleneck(nn.Module):
    """Narrow, filter, widen; a stride is an average pooling after the middle convolution and on the shortcut."""

    def __init__(self, channels_in: int, planes: int, stride: int):
        super().__init__()
        self.stride = stride
        self.conv1, self.bn1 = nn.Conv2d(channels_in, planes, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False), nn.BatchNorm2d(planes)
        self.conv3, self.bn3 = nn.Conv2d(planes, 4 * planes, 1, bias=False), nn.BatchNorm2d(4 * planes)
        self.downsample = nn.Sequential()
        if stride > 1 or channels_in != 4 * planes:
            self.downsample.add_module("0", nn.Conv2d(channels_in, 4 * planes, 1, bias=False))
            self.downsample.add_module("1", nn.BatchNorm2d(4 * planes))

    def forward(self, input_NCHW: Tensor) -> Tensor:
        """Return the block's map."""
        map_NCHW = F.relu(self.bn1(self.conv1(input_NCHW)))
        map_NCHW = self._shrink(F.relu(self.bn2(self.conv2(map_NCHW))))
        shortcut_NCHW = self.downsample(self._shrink(input_NCHW)) if len(self.downsample) else input_NCHW
        return F.relu(self.bn3(self.conv3(map_NCHW)) + shortcut_NCHW)

    def _shrink(self, map_NCHW: Tensor) -> Tensor:
        return F.avg_pool2d(map_NCHW, self.stride) if self.stride > 1 else map_NCHW


class AttentionPool(nn.Module):
    """The mean of all places asks all places (and itself) for the image's feature."""

    def __init__(self, places: int, width: int, dim: int):
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.empty(places, width))
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(width, width) for _ in range(3))
        self.c_proj = nn.Linear(width, dim)

    def forward(self, places_NPD: Tensor) -> Tensor:
        """Return features_ND."""
        tokens_NPD = torch.cat([places_NPD.mean(dim=1, keepdim=True), places_NPD], dim=1) + self.positional_embedding
        query = self.q_proj(tokens_NPD[:, :1])
        return self.c_proj(_attend(query, self.k_proj(tokens_NPD), self.v_proj(tokens_NPD)))[:, 0]


def _attend(query: Tensor, key: Tensor, value: Tensor, is_causal: bool = False) -> Tensor:
    query, key, value = (each.unflatten(-1, (-1, HEAD_WIDTH)).transpose(1, 2) for each in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value, is_causal=is_causal).transpose(1, 2).flatten(2)


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    names: Sequence[str] = [name.removeprefix(prefix) for name in state if name.startswith(prefix)]
    return len({name.split(".")[0] for name in names})
