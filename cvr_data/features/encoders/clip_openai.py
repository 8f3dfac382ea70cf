"""Frames and texts by OpenAI's CLIP from its released archives: RN50, RN101, RN50x4, ViT-B/32, ViT-B/16, ViT-L/14.

    cvr embed videos --encoder clip-openai -o model=RN50x4.pt -o normalise=false

FineCVR's features are RN50x4's (8 frames of 640 numbers). An archive is read without running the code in it. Text
tokens are the projected states from the start to the end token; the last one is the text's own feature. open_clip
reads the same archives, but it does not install without torchvision, so the networks are written out here.

Source: Radford et al., ICML 2021 (https://arxiv.org/abs/2103.00020), https://github.com/openai/CLIP.
"""

# Shapes: N frames, C channels, H height, W width, B texts, L tokens, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cvr_data.core.errors import CvrError
from cvr_data.features.encoders.networks.checkpoints import check_encoder_keys
from cvr_data.features.encoders.networks.clip_tokenizer import ClipTokenizer, load_clip_tokenizer
from cvr_data.features.encoders.networks.images import Preprocessing
from cvr_data.features.encoders.networks.openai_clip import OpenAIClip
from cvr_data.features.encoders.networks.openai_weights import read_openai_encoder_weights
from cvr_data.features.encoders.networks.options import TwoTowers
from cvr_data.features.encoders.networks.two_towers import TwoTowerEncoder, end_token_features


@dataclass(frozen=True, kw_only=True)
class Config(TwoTowers):
    model: str
    """An archive of OpenAI's, a state dict with the same names (.pt) or the same as .safetensors."""
    tokenizer: str | None = None
    """bpe_simple_vocab_16e6.txt.gz, or a folder with CLIP's tokenizer.json or merges.txt; None fetches the first."""
    frames: int = 8
    """Frames decoded per video, at most; 8 is FineCVR's."""
    normalise: bool = True
    """Frame features to unit length; false leaves them as projected, as FDCA's training reads them."""


def load(config: Config) -> TwoTowerEncoder:
    return TwoTowerEncoder("clip-openai", ClipTowers(config.model, config.tokenizer), config)


class ClipTowers:
    """The network and its tokenizer."""

    def __init__(self, model: str, tokenizer: str | None):
        self.network = _load_network(Path(model))
        visual = self.network.visual
        self.preprocessing = Preprocessing(size=visual.resolution, fit="crop", crop_rounds=True)
        self.dim = self.network.text_projection.shape[1]
        self.frame_token_dim = visual.token_dim
        self.tokenize: ClipTokenizer = load_clip_tokenizer(tokenizer, len(self.network.positional_embedding))
        if self.tokenize.size > self.network.token_embedding.num_embeddings:
            raise CvrError(
                f"{model} knows {self.network.token_embedding.num_embeddings} tokens, "
                f"the tokenizer {self.tokenize.size}; give the one it was trained with: -o tokenizer=PATH."
            )

    def images(self, pixels_NCHW: Tensor) -> Tensor:
        """Return features_ND."""
        return self.network.visual(pixels_NCHW)

    def image_tokens(self, pixels_NCHW: Tensor) -> Tensor:
        """Return all tokens: of a ViT after its last normalisation, class first; of a ResNet its last map."""
        return self.network.visual.tokens(pixels_NCHW)

    def texts(self, ids_BL: Tensor, mask_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Return projected tokens_BLD, and the end token's as pooled_BD."""
        tokens_BLD = self.network.texts(ids_BL)
        return tokens_BLD, end_token_features(tokens_BLD, mask_BL)

    def to(self, device: torch.device) -> None:
        """Move the network."""
        self.network.to(device)


def _load_network(path: Path) -> OpenAIClip:
    """Return the network of an archive, in evaluation mode.

    Raises:
        CvrError: the file is unreadable, or its names or shapes are another model's.
    """
    state = read_openai_encoder_weights(path)
    needed: Sequence[str] = ("text_projection", "token_embedding.weight", "positional_embedding", "ln_final.weight")
    visual = ("visual.proj", "visual.conv1.weight", "visual.positional_embedding")
    if "visual.proj" not in state:
        visual = (
            "visual.layer1.0.conv1.weight",
            "visual.attnpool.positional_embedding",
            "visual.attnpool.c_proj.weight",
        )
    check_encoder_keys(str(path), missing=[name for name in (*needed, *visual) if name not in state], unexpected=[])
    with torch.device("meta"):
        network = OpenAIClip(state)
    expected = network.state_dict()
    counters = [name for name in expected if name.endswith("num_batches_tracked")]
    state.update({name: torch.tensor(0) for name in counters})
    check_encoder_keys(
        str(path), missing=[name for name in expected if name not in state], unexpected=state.keys() - expected.keys()
    )
    wrong = [name for name, tensor in expected.items() if tensor.shape != state[name].shape]
    if wrong:
        found, wanted = tuple(state[wrong[0]].shape), tuple(expected[wrong[0]].shape)
        raise CvrError(f"{path}: {wrong[0]} has shape {found}, {wanted} was expected.")
    network.load_state_dict(state, assign=True)
    return network.requires_grad_(False).eval()
