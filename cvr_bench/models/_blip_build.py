"""Make the text side of BLIP: of a published size, with the weights of a checkpoint, or small and untrained."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvr_bench.checkpoints import read_extra
from cvr_bench.models._blip_network import BlipNetwork, BlipTextModel, text_config
from cvr_bench.seeding import seeded
from cvr_data.encoders._checkpoints import load_hub_tokenizer, load_model
from cvr_data.encoders._protocol import Encoder
from cvr_data.errors import CvrError


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Of the small network."""

    width: int
    layers: int
    heads: int
    dropout: float
    seed: int


@dataclass(frozen=True)
class Built:
    """A network and what reads its texts."""

    network: BlipNetwork
    tokenizer: Any = None
    token_width: int | None = None
    """Of the image tokens it looks at; None looks at frames."""


def build_blip(model: str | None, encoder: Encoder, sizes: Sizes, *, with_prompt: bool = False) -> Built:
    """Return the network of a folder or hub id, or a small one whose image tokens are frames of the encoder.

    Raises:
        CvrError: the checkpoint cannot be loaded, or the features are of another width.
    """
    if model is None:
        return Built(_small(encoder, sizes, with_prompt))
    whole = load_model("BlipForImageTextRetrieval", model)
    check_width(encoder, whole.text_proj.out_features, model)
    with seeded(sizes.seed):
        network = BlipNetwork(
            whole.text_encoder,
            whole.vision_proj.in_features,
            whole.text_proj.out_features,
            enc_id=whole.text_encoder.config.vocab_size - 1,
            with_prompt=with_prompt,
        )
    network.text_proj.load_state_dict(whole.text_proj.state_dict())
    network.vision_proj.load_state_dict(whole.vision_proj.state_dict())
    network.load_state_dict(read_extra(Path(model)), strict=False)
    network.requires_grad_(True)
    return Built(network, load_hub_tokenizer(model), whole.vision_proj.in_features)


def check_width(encoder: Encoder, width: int, model: str) -> None:
    """Refuse features that embeddings of a network cannot be compared with.

    Raises:
        CvrError: they are of another width.
    """
    if encoder.dim != width:
        raise CvrError(f"{model} gives embeddings {width} wide, the features are {encoder.dim} wide: embed with it.")


def _small(encoder: Encoder, sizes: Sizes, with_prompt: bool) -> BlipNetwork:
    with seeded(sizes.seed):
        config = text_config(
            width=sizes.width,
            layers=sizes.layers,
            heads=sizes.heads,
            dropout=sizes.dropout,
            vision_width=encoder.dim,
        )
        text_encoder = BlipTextModel(config, add_pooling_layer=False)
        return BlipNetwork(text_encoder, encoder.dim, encoder.dim, word_width=encoder.text_dim, with_prompt=with_prompt)
