"""Compose three times over: text with image, description with image, text with description (ECDE).

    q = f(reference, text) + f(reference, description) + f(description, text)

f is CoVR-BLIP's text encoder, its first argument what the text looks at. Three target spaces are learned from: the
target's frames, its frames with its caption, and its caption. Sizes and features are those of covr-blip; the
description is the `description` of a query: where triplets have none, the caption of the reference. Without one, q is
f(reference, text). A gallery is of frames.

`fixed` (the default) is the paper, complete. `faithful` is what was released, where the third term and the third space
are missing: 0.8 f(reference, text) + 0.2 f(reference, description) in training, not of unit length, f(reference, text)
in test; 0.8 and 0.2 weigh the frames and the frames with caption. Where the paper does not say, `fixed` is ours:

- a description is brought to the width of image tokens by a learned layer;
- the weights of the spaces are learned as uncertainties (Kendall et al. 2018): bare ones would fall to zero;
- texts are read to the end, losses weigh and leave out negatives as in covr-blip.

Source: Thawakar et al., CVPR 2024 (https://arxiv.org/abs/2403.16997), code
github.com/OmkarThawakar/composed-video-retrieval.
"""

# Shapes: B queries, R those with a description, L tokens, S target spaces, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvr_bench.models.networks.covr.blip import BlipNetwork, Built, ImageTokens, build_blip_network
from cvr_bench.models.networks.covr.config import CovrConfig, Mode
from cvr_bench.models.networks.covr.inputs import Inputs, Limits
from cvr_bench.models.networks.covr.objective import Objective, covr_loss_column, covr_targets
from cvr_bench.models.networks.covr.retriever import covr_retriever
from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.retriever import DenseRetriever, Losses, check_retriever_space
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders.stored import StoredEncoder
from cvr_data.features.protocol import Encoder
from cvr_data.media.video import Video

SPACES = ("visual", "multimodal", "text")
RELEASED = {"visual": 0.8, "multimodal": 0.2}
"""Space -> weight of its loss."""
SHARES = (0.8, 0.2)
"""Of f(reference, text) and f(reference, description), as released."""
AS_PUBLISHED = Limits(words=30, train_tokens=256, test_tokens=256)


@dataclass(frozen=True, kw_only=True)
class Config(CovrConfig):
    mode: Mode = "fixed"
    """The paper, or what was released of it."""
    spaces: tuple[str, ...] = SPACES
    """Target spaces to learn from, of visual, multimodal and text; `faithful` has the first two."""
    multimodal_targets: Path | None = None
    """Embeddings folder with features of each target's frames and description together, as released; None is the sum
    of the frozen embeddings of its frames and its caption."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.spaces or set(self.spaces) - set(SPACES):
            raise ValueError(f"spaces must be some of {', '.join(SPACES)}, got {', '.join(self.spaces) or 'none'}.")


TINY = Config(width=8, layers=1, heads=2)


def load(config: Config, encoder: Encoder) -> DenseRetriever:
    is_fixed = not config.is_faithful
    built = build_blip_network(config, encoder, with_prompt=is_fixed)
    built.network.vision_proj.requires_grad_(False)
    spaces = config.spaces if is_fixed else tuple(RELEASED)
    module = built.network  # itself, so that published weights have the same names
    uncertainty_S = nn.Parameter(torch.zeros(len(spaces))) if is_fixed else None
    if uncertainty_S is not None:
        module.register_parameter("uncertainty", uncertainty_S)
    objective, targets = Objective(config), Targets(config, encoder)

    def losses(query_BD: Tensor, batch: TripletBatch) -> Losses:
        parts = {space: objective(query_BD, targets(space, batch), batch) for space in spaces}
        return {"loss": _weighed(parts, uncertainty_S), **parts}

    return covr_retriever(config, encoder, module, EcdeComposer(config, encoder, built), losses)


def _weighed(parts: dict[str, Tensor], uncertainty_S: Tensor | None) -> Tensor:
    """Return the sum of the losses of the spaces: exp(-s) loss + s with learned s, or with the released weights."""
    if uncertainty_S is None:
        return torch.stack([RELEASED[space] * loss for space, loss in parts.items()]).sum()
    losses_S = torch.stack(list(parts.values()))
    return ((-uncertainty_S).exp() * losses_S + uncertainty_S).sum()


class EcdeComposer:
    """(references, modification texts, descriptions) -> query_BD."""

    def __init__(self, config: Config, encoder: Encoder, built: Built[BlipNetwork]):
        self.network, self.is_faithful = built.network, config.is_faithful
        self.inputs = Inputs(config, encoder, built, AS_PUBLISHED)

    def __call__(
        self, videos: Sequence[Video], words: Sequence[str], described: Sequence[str | None], training: bool
    ) -> Tensor:
        """Return query_BD, unit length but for `faithful` in training."""
        read, image = self.inputs.words(words, training=training), self.inputs.images(videos)
        query_BD = self.network.query(read, image)
        rows = [row for row, text in enumerate(described) if text is not None]
        if not rows or (self.is_faithful and not training):
            return query_BD
        rows_R = torch.tensor(rows, device=query_BD.device)
        given = self.inputs.words([described[row] or "" for row in rows], training=training, raw=True)
        seen = ImageTokens(image.tokens_BPV[rows_R], image.mask_BP[rows_R])
        described_RD = self.network.query(given, seen)
        if self.is_faithful:
            released_BD = SHARES[0] * query_BD
            return released_BD.index_add(0, rows_R, SHARES[1] * described_RD)
        both_RD = described_RD + self.network.query(read.rows(rows_R), self.network.described(given))
        return F.normalize(query_BD.index_add(0, rows_R, both_RD), dim=-1)


class Targets:
    """(space, batch) -> target_BD, unit length."""

    def __init__(self, config: Config, encoder: Encoder):
        self.config, self.encoder = config, encoder
        self.stored: StoredEncoder | None = None
        if config.multimodal_targets is not None:
            from cvr_data.features.encoders import stored

            self.stored = stored.load(stored.Config(embeddings=config.multimodal_targets, space="raw"))
            if self.stored.dim != encoder.dim:
                widths = f"{self.stored.dim} wide, not {encoder.dim} as the scored ones"
                raise CvrError(f"{config.multimodal_targets} has features {widths}.")

    def __call__(self, space: str, batch: TripletBatch) -> Tensor:
        """Return the targets of a batch in one space."""
        if space == "visual":
            return covr_targets(batch, self.config.pooling)
        if space == "multimodal" and self.stored is not None:
            return self.stored.encode_videos([Video(target_id) for target_id in batch.target_ids]).pooled_BD()
        check_retriever_space(self.encoder, f"ecde: space {space}")
        captions = covr_loss_column(batch, "target_caption", "ecde", "spaces=visual")
        caption_BD = self.encoder.encode_texts(captions).pooled_BD
        if space == "text":
            return caption_BD
        visual_BD = covr_targets(batch, self.config.pooling)
        return F.normalize(visual_BD + caption_BD.to(visual_BD.device), dim=-1)
