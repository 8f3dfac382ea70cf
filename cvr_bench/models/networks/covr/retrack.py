"""ReTrack: BLIP-2's Q-Former on both sides, a late interaction with learned weights, and two auxiliary losses.

Weights have the names of `Blip2ForImageTextRetrieval` of transformers; those of its own, the released ones.

Source: ReTrack, AAAI 2026, code github.com/Lee-zixu/ReTrack.
"""

# Shapes: B queries of a batch (and their targets), K tokens of a query, of a target and anchors, P image tokens,
# D embedding.

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Blip2QFormerConfig

from cvr_bench.models.networks.covr.blip import ImageTokens, Words
from cvr_bench.models.networks.covr.late import learned_pool, model_late_interaction_matches
from cvr_bench.models.networks.covr.qformer import QFormerNetwork
from cvr_bench.models.parts.losses import info_nce, wide_loss_values

EVIDENCE_TEMPERATURE = 5.0
"""Of the products that evidence is made of, as released."""
LAYERS = 2
"""Of the decoder, as released."""
SMALLEST = 1e-3
"""What `fixed` divides by at least, where it brings scores to the size of beliefs."""


@dataclass(frozen=True)
class Encoded:
    """A batch of triplets, all of unit length but for the decoded."""

    query_BKD: Tensor
    target_BKD: Tensor
    reference_BD: Tensor
    text_BD: Tensor
    from_reference_BKD: Tensor
    """What the decoder makes of the query's tokens for the reference alone."""
    from_text_BKD: Tensor
    """And for the text alone."""

    def joined(self, join: Callable[[Tensor], Tensor]) -> "Encoded":
        """Return the rows of all parts of a batch."""
        return Encoded(*(join(wide_loss_values(rows)) for rows in vars(self).values()))


class RetrackNetwork(QFormerNetwork):
    """(texts, image tokens) -> tokens of queries and targets.

    Args:
        config: of the Q-Former.
        dim: of the embedding.
        queries: how many query tokens there are.
        word_width: of the embeddings of words that stand for ids; 0 for ids.
        frames: how often the query tokens are repeated: once per frame.
        batch: as released, triplets of a batch, which `point_weights` is made for; None weighs each triplet by itself.
    """

    def __init__(
        self, config: Blip2QFormerConfig, dim: int, *, queries: int, word_width: int = 0, frames: int = 1,
        batch: int | None = None,
    ):  # fmt: skip
        super().__init__(config, dim, queries=queries, word_width=word_width)
        self.frames, self.batch, tokens = frames, batch, queries * frames
        self.ln_vision = nn.LayerNorm(config.encoder_hidden_size)
        self.compose_token_mat_weight = nn.Parameter(torch.eye(tokens))
        self.compose_anchor_mat_weight = nn.Parameter(torch.eye(tokens))
        self.contribution_decoder = nn.ModuleDict({"event_decoder": Decoder(dim)})
        self.text_anchor_to_k = _two_layers(dim, max(1, dim // 2), tokens)
        self.point_weights = _two_layers(batch or 1, 2 * batch if batch else max(1, dim // 2), dim)

    def queries(self, count: int) -> Tensor:
        """Return the query tokens, repeated for each frame, (count, K, W)."""
        return self.query_tokens.repeat(1, self.frames, 1).expand(count, -1, -1)

    def normed(self, image: ImageTokens) -> ImageTokens:
        """Return what the Q-Former looks at, of what the vision network gives."""
        return ImageTokens(self.ln_vision(image.tokens_BPV), image.mask_BP)

    def query(self, words: Words, image: ImageTokens) -> Tensor:
        """Return query_BKD, unit length."""
        return self.query_tokens_of(words, self.normed(image))

    def target(self, image: ImageTokens) -> Tensor:
        """Return target_BKD, unit length."""
        return self.visual_tokens_of(self.normed(image))

    def score(self, query_BKD: Tensor, target_CLD: Tensor) -> Tensor:
        """Return scores_BC, without a temperature."""
        return learned_pool(model_late_interaction_matches(query_BKD, target_CLD), self.compose_token_mat_weight)

    def encoded(self, words: Words, reference: ImageTokens, target: ImageTokens) -> Encoded:
        """Return a batch; what stands for reference and text alone has no gradient, as released."""
        query_BKD = self.query(words, reference)
        with torch.no_grad():
            reference_BD = F.normalize(self.target(reference).mean(dim=1), dim=-1)
            text_BD = self.text(words)
        decode = self.contribution_decoder["event_decoder"]
        alone = [decode(each_BD, query_BKD) for each_BD in (reference_BD, text_BD)]
        return Encoded(query_BKD, self.target(target), reference_BD, text_BD, *alone)

    def anchors(self, alone_BD: Tensor, query_BKD: Tensor, decoded_BKD: Tensor) -> Tensor:
        """Return anchors_BKD, unit length, between the query's tokens and what one part of it is alone."""
        direction_BKD = F.normalize(query_BKD - decoded_BKD, dim=-1)
        if self.batch:
            likeness = query_BKD @ alone_BD.T
        else:
            likeness = (query_BKD * alone_BD[:, None]).sum(dim=-1, keepdim=True)
        placed_BKD = query_BKD + self.point_weights(likeness).exp() * direction_BKD
        # as released over anchors, not over tokens
        shares_BKK = self.text_anchor_to_k(placed_BKD).softmax(dim=-1)
        return F.normalize(shares_BKK.transpose(1, 2) @ placed_BKD, dim=-1)


class Decoder(nn.Module):
    """What of the query's tokens belongs to one part of it: layers whose residuals start from normed states."""

    def __init__(self, dim: int):
        super().__init__()
        layer = DecoderLayer(dim)
        self.layers = nn.ModuleList(deepcopy(layer) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(dim)

    def forward(self, alone_BD: Tensor, query_BKD: Tensor) -> Tensor:
        """Return decoded_BKD."""
        states_BKD = alone_BD[:, None].expand_as(query_BKD)
        for layer in self.layers:
            states_BKD = layer(states_BKD, query_BKD)
        return self.norm(states_BKD)


class DecoderLayer(nn.Module):
    """One layer; a single head over the tokens of the same query."""

    def __init__(self, dim: int, dropout: float = 0.1):
        super().__init__()
        self.multihead_attn = nn.MultiheadAttention(dim, 1, dropout=dropout, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.norm1, self.norm2, self.norm3, self.norm4 = (nn.LayerNorm(dim) for _ in range(4))
        self.drop = nn.Dropout(dropout)

    def forward(self, states_BKD: Tensor, query_BKD: Tensor) -> Tensor:
        """Return states_BKD."""
        states_BKD, memory_BKD = self.norm1(states_BKD), self.norm2(query_BKD)
        attended_BKD = self.multihead_attn(states_BKD, memory_BKD, memory_BKD, need_weights=False)[0]
        states_BKD = self.norm3(states_BKD + self.drop(attended_BKD))
        hidden_BKD = self.linear2(self.drop(self.linear1(states_BKD).relu()))
        return self.norm4(states_BKD + self.drop(hidden_BKD))


def _two_layers(width: int, hidden: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.LeakyReLU(), nn.Linear(hidden, out))


@dataclass(frozen=True)
class Compared:
    """What the losses of a batch are made of."""

    logits_BB: Tensor
    anchors: tuple[Tensor, Tensor]
    """Of reference and text."""
    direction_BB: Tensor
    """Logits of the directional loss."""
    evidence: tuple[Tensor, Tensor]
    """(B, K, B): of each anchor for each target; of reference and text."""


def retrack_loss_inputs(network: RetrackNetwork, batch: Encoded, temperature: float) -> Compared:
    """Return what the losses are made of; as released where the network's `batch` is given.

    Then the direction to a candidate starts at the candidate's own query, else at the query itself.
    """
    query_BKD, target_BKD = batch.query_BKD, batch.target_BKD
    parts = ((batch.reference_BD, batch.from_reference_BKD), (batch.text_BD, batch.from_text_BKD))
    anchors = [network.anchors(alone_BD, query_BKD, decoded_BKD) for alone_BD, decoded_BKD in parts]
    moved_BKD = F.normalize(anchors[0] - query_BKD + anchors[1] - query_BKD, dim=-1)
    if network.batch:
        along_BBK = model_late_interaction_matches(moved_BKD, target_BKD - query_BKD)
    else:
        along_BBK = model_late_interaction_matches(moved_BKD, target_BKD, moved_BKD @ query_BKD.transpose(1, 2))
    evidence = [
        1 + (model_late_interaction_matches(anchor_BKD, target_BKD).transpose(1, 2) / EVIDENCE_TEMPERATURE).exp()
        for anchor_BKD in anchors
    ]
    return Compared(
        network.score(query_BKD, target_BKD) / temperature,
        (anchors[0], anchors[1]),
        learned_pool(along_BBK, network.compose_anchor_mat_weight) / temperature,
        (evidence[0], evidence[1]),
    )


def released_losses(found: Compared) -> dict[str, Tensor]:
    """Return the losses as released, unweighted: from queries to targets, every other target a negative."""
    eye_BB = torch.eye(len(found.logits_BB), device=found.logits_BB.device)
    rest_BB = found.logits_BB * (1 - eye_BB)
    beliefs = [_beliefs(each) for each in found.evidence]
    wanted = [belief_BB.mean() / rest_BB.mean() * rest_BB for belief_BB in beliefs]
    reference, text = (F.mse_loss(belief_BB, each_BB) for belief_BB, each_BB in zip(beliefs, wanted, strict=True))
    return {
        "ranking": info_nce(found.logits_BB, symmetric=False),
        "direction": info_nce(found.direction_BB, symmetric=False),
        "evidence_reference": reference,
        "evidence_text": text,
    }


def retrack_fixed_losses(found: Compared, ignored_BB: Tensor) -> dict[str, Tensor]:
    """Return the losses over right targets and negatives alone; beliefs are compared in negatives, where both are."""
    ignored_BB = ignored_BB.to(found.logits_BB.device)
    negative_BB = (~ignored_BB).fill_diagonal_(False)
    scores_N = found.logits_BB[negative_BB]
    losses = {
        "ranking": info_nce(found.logits_BB, ignored_BB, symmetric=False),
        "direction": info_nce(found.direction_BB, ignored_BB, symmetric=False),
    }
    for name, evidence_BKB in zip(("reference", "text"), found.evidence, strict=True):
        belief_N = _beliefs(evidence_BKB)[negative_BB]
        if not len(belief_N):
            losses[f"evidence_{name}"] = found.logits_BB.sum() * 0
            continue
        mean = scores_N.mean()
        size = torch.where(mean.abs() < SMALLEST, SMALLEST, mean)
        losses[f"evidence_{name}"] = F.mse_loss(belief_N, belief_N.mean() / size * scores_N)
    return losses


def _beliefs(evidence_BKB: Tensor) -> Tensor:
    """Return beliefs_BB: one minus the uncertainty."""
    return 1 - evidence_BKB.shape[1] / evidence_BKB.sum(dim=1)
