"""Make BLIP-2's Q-Former: of the published size, with the weights of a checkpoint, or small and untrained."""

from dataclasses import dataclass
from typing import Any

from cvr_bench.models._blip_build import Sizes, check_width
from cvr_bench.models._qformer_network import QFormerNetwork, qformer_config
from cvr_bench.seeding import seeded
from cvr_data.encoders._checkpoints import load_hub_tokenizer, load_model
from cvr_data.encoders._protocol import Encoder


@dataclass(frozen=True)
class BuiltQFormer:
    """A Q-Former and what reads its texts."""

    network: QFormerNetwork
    tokenizer: Any = None
    token_width: int | None = None
    """Of the image tokens it looks at; None looks at frames."""


def build_qformer(model: str | None, encoder: Encoder, sizes: Sizes, queries: int) -> BuiltQFormer:
    """Return the Q-Former of a folder or hub id, or a small one whose image tokens are frames of the encoder.

    Raises:
        CvrError: the checkpoint cannot be loaded, or the features are of another width.
    """
    if model is None:
        return BuiltQFormer(_small(encoder, sizes, queries))
    whole = load_model("Blip2ForImageTextRetrieval", model)
    settings = whole.config
    check_width(encoder, settings.image_text_hidden_size, model)
    with seeded(sizes.seed):
        network = QFormerNetwork(
            settings.qformer_config, settings.image_text_hidden_size, queries=settings.num_query_tokens
        )
    kept = {name: weight for name, weight in whole.state_dict().items() if name in network.state_dict()}
    network.load_state_dict(kept)
    network.requires_grad_(True)
    return BuiltQFormer(network, load_hub_tokenizer(model), settings.vision_config.hidden_size)


def _small(encoder: Encoder, sizes: Sizes, queries: int) -> QFormerNetwork:
    with seeded(sizes.seed):
        config = qformer_config(
            width=sizes.width,
            layers=sizes.layers,
            heads=sizes.heads,
            dropout=sizes.dropout,
            vision_width=encoder.dim,
        )
        return QFormerNetwork(config, encoder.dim, queries=queries, word_width=encoder.text_dim)
