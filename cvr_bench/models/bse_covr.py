"""Ground the reference's frame in its description before the modification text looks at it (BSE-CoVR).

CoVR-BLIP with one layer more: the description, read by the same text encoder, is projected and added to every image
token. A query without a description adds nothing, which is CoVR-BLIP. Sizes and features are those of covr-blip; the
description is the `description` of a query: where triplets have none, the caption of the reference.

`faithful` reads and trains as released; `fixed` (the default) differs from it:

- the text-only query looks at every token of the description; as released, it is handed over and then ignored;
- a description starts with the same token in training and test; as released, with [CLS] and then [ENC];
- texts are read to the end, losses weigh and leave out negatives as in covr-blip.

Source: Thawakar et al., ICCV 2025 (https://arxiv.org/abs/2508.14039), code github.com/OmkarThawakar/BSE-CoVR.
"""

# Shapes: B queries, L tokens, P image tokens, V width of an image token, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cvr_bench.models.networks.covr.blip import CLS, ENC, BlipNetwork, Built, ImageTokens, build_blip_network
from cvr_bench.models.networks.covr.config import CovrConfig
from cvr_bench.models.networks.covr.inputs import Inputs
from cvr_bench.models.networks.covr.objective import Objective, covr_targets
from cvr_bench.models.networks.covr.retriever import covr_retriever
from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.device import network_device
from cvr_bench.models.parts.retriever import DenseRetriever, Losses
from cvr_data.features.protocol import Encoder
from cvr_data.media.video import Video


@dataclass(frozen=True, kw_only=True)
class Config(CovrConfig):
    text_only: bool = False
    """Whether the query has no image: the modification text and, in `fixed`, the description."""


TINY = Config(width=8, layers=1, heads=2)


def load(config: Config, encoder: Encoder) -> DenseRetriever:
    built = build_blip_network(config, encoder, with_prompt=True)
    built.network.vision_proj.requires_grad_(False)
    objective = Objective(config)

    def losses(query_BD: Tensor, batch: TripletBatch) -> Losses:
        return {"loss": objective(query_BD, covr_targets(batch, config.pooling), batch)}

    composer = BseComposer(config, encoder, built)
    return covr_retriever(config, encoder, built.network, composer, losses, reads_image=not config.text_only)


class BseComposer:
    """(references, modification texts, descriptions) -> query_BD."""

    def __init__(self, config: Config, encoder: Encoder, built: Built[BlipNetwork]):
        self.network, self.inputs = built.network, Inputs(config, encoder, built)
        self.text_only, self.is_faithful = config.text_only, config.is_faithful

    def __call__(
        self, videos: Sequence[Video], words: Sequence[str], described: Sequence[str | None], training: bool
    ) -> Tensor:
        """Return query_BD, unit length."""
        read = self.inputs.words(words, training=training)
        if self.text_only and self.is_faithful:
            return self.network.query(read, None, ENC)
        if self.text_only:
            return self.network.query(read, self._description(described, training=training))
        image, prompt_B1V = self.inputs.images(videos), self.prompt(described, training=training)
        return self.network.query(read, ImageTokens(image.tokens_BPV + prompt_B1V, image.mask_BP))

    def _description(self, described: Sequence[str | None], *, training: bool) -> ImageTokens:
        """All tokens of each description, which the text looks at; without one there is a token of zeros."""
        given = self.inputs.words([text or "" for text in described], training=training, raw=True)
        seen = self.network.described(given)
        has_one_B = torch.tensor([text is not None for text in described], device=seen.mask_BP.device)
        first_P = torch.arange(seen.mask_BP.shape[1], device=seen.mask_BP.device) == 0
        mask_BP = torch.where(has_one_B[:, None], seen.mask_BP, first_P)
        return ImageTokens(seen.tokens_BPV.float() * has_one_B[:, None, None], mask_BP)

    def prompt(self, described: Sequence[str | None], *, training: bool) -> Tensor:
        """Return prompt_B1V: what each description adds to image tokens, zero where there is none."""
        first = ENC if self.is_faithful and not training else CLS
        given = [text for text in described if text is not None]
        prompts_B1V = torch.zeros(
            len(described), 1, self.network.vision_proj.in_features, device=network_device(self.network)
        )
        if not given:
            return prompts_B1V
        read = self.inputs.words(given, training=training, raw=True)
        rows = torch.tensor([row for row, text in enumerate(described) if text is not None])
        found_R1V = self.network.prompt(read, first)[:, :1].float()
        return prompts_B1V.index_copy(0, rows.to(prompts_B1V.device), found_R1V)
