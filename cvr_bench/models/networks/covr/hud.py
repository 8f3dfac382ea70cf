"""HUD: BLIP-2's Q-Former read in three ways, two of them with noise as large as the network says, and two scores.

Weights have the names of `Blip2ForImageTextRetrieval` of transformers; those of its own, the released ones.

Source: HUD, ACM MM 2025 (https://arxiv.org/abs/2512.02792), code github.com/iLearn-Lab/MM25-HUD.
"""

# Shapes: B queries, C candidates, L tokens of a text, K query tokens, W width of a state, D embedding; H holistic
# embeddings (1 + N samples), A atomistic ones (2 K), U width of what is uncertain (W or D).

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Blip2QFormerConfig

from cvr_bench.models.networks.covr.blip import ImageTokens, Words
from cvr_bench.models.networks.covr.late import learned_pool, model_late_interaction_matches
from cvr_bench.models.networks.covr.qformer import QFormerNetwork
from cvr_bench.models.parts.losses import NEGLIGIBLE, info_nce, loss_similarities

LIKENESS_TEMPERATURE = 0.1
"""Of the similarities that the two levels agree in, as released."""


@dataclass(frozen=True)
class Noise:
    """What is drawn for a batch of queries; None takes the mean of what is uncertain."""

    holistic_BND: Tensor | None
    tokens_BKW: Tensor | None


NO_NOISE = Noise(None, None)


class HudNetwork(QFormerNetwork):
    """(texts, image tokens) -> holistic and atomistic embeddings of queries and targets.

    Args:
        config: of the Q-Former.
        dim: of the embedding.
        queries: how many query tokens there are.
        word_width: of the embeddings of words that stand for ids; 0 for ids.
        samples: of the uncertain holistic embedding.
        as_released: mixes up the gates of samples, and reads the padding of texts.
    """

    def __init__(
        self, config: Blip2QFormerConfig, dim: int, *, queries: int, word_width: int = 0, samples: int = 4,
        as_released: bool = False,
    ):  # fmt: skip
        super().__init__(config, dim, queries=queries, word_width=word_width)
        self.samples, self.as_released, width = samples, as_released, config.hidden_size
        self.ln_vision = nn.LayerNorm(config.encoder_hidden_size).requires_grad_(False)
        self.composer_video, self.composer_uncertainty = _composer(dim), _composer(dim)
        self.video_logit_weight = nn.Parameter(torch.eye(1 + samples))
        self.compose_token_mat_weight = nn.Parameter(torch.eye(2 * queries))
        self.local_weight = nn.Parameter(torch.ones(2 * queries))
        self.local_weight_hol = nn.Parameter(torch.ones(1 + samples))
        self.probabilistic_cross, self.uncertain_net_cross = Mean(dim), LogDeviation(dim)
        self.probabilistic_cross_Token, self.uncertain_net_cross_Token = Mean(width), LogDeviation(width)

    def normed(self, image: ImageTokens) -> ImageTokens:
        """Return what the Q-Former looks at, of what the vision network gives."""
        return ImageTokens(self.ln_vision(image.tokens_BPV), image.mask_BP)

    def query(self, words: Words, image: ImageTokens, noise: Noise) -> Tensor:
        """Return both_BSD, unit length: the holistic embeddings of queries and, after them, the atomistic ones."""
        image = self.normed(image)
        text_BLW, mask_BL = self._text(words)
        seen_BKW = self.image_states(image)
        text_BLD = F.normalize(self.text_projection(text_BLW).float(), dim=-1)
        text_BD = (text_BLD * mask_BL[..., None]).sum(dim=1) / mask_BL.sum(dim=1, keepdim=True)
        video_BD = F.normalize(self.vision_projection(seen_BKW).float(), dim=-1).mean(dim=1)
        holistic_BHD = self._holistic(video_BD, text_BD, noise.holistic_BND)
        first_BKD = self.query_tokens_of(words, image)
        second_BKD = self._uncertain_tokens(words, seen_BKW, text_BLW, mask_BL, noise.tokens_BKW)
        return torch.cat([holistic_BHD, first_BKD, second_BKD], dim=1)

    def target(self, image: ImageTokens) -> Tensor:
        """Return target_BKD, unit length; its mean stands for the holistic embedding."""
        return self.visual_tokens_of(self.normed(image))

    def score(self, query_BSD: Tensor, target_CKD: Tensor) -> Tensor:
        """Return scores_BC, without a temperature."""
        holistic_BHD, tokens_BAD = query_BSD.split([1 + self.samples, query_BSD.shape[1] - 1 - self.samples], dim=1)
        whole_C1D = F.normalize(target_CKD.mean(dim=1, keepdim=True), dim=-1)
        holistic_BC = learned_pool(model_late_interaction_matches(holistic_BHD, whole_C1D), self.video_logit_weight)
        return (
            holistic_BC
            + learned_pool(model_late_interaction_matches(tokens_BAD, target_CKD), self.compose_token_mat_weight)
        ) / 2

    def losses(
        self, query_BSD: Tensor, target_BKD: Tensor, temperature: float, ignored_BB: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return the losses, unweighted: the ranking, and how far the levels are from each other's targets."""
        holistic_BHD, tokens_BAD = query_BSD[:, : 1 + self.samples], query_BSD[:, 1 + self.samples :]
        whole_BHD = F.normalize(target_BKD.mean(dim=1, keepdim=True), dim=-1).expand_as(holistic_BHD)
        twice_BAD = torch.cat([target_BKD, target_BKD], dim=1)
        query = (_flat(holistic_BHD, self.local_weight_hol), _flat(tokens_BAD, self.local_weight))
        target = (_flat(whole_BHD, self.local_weight_hol), _flat(twice_BAD, self.local_weight))
        logits_BB = self.score(query_BSD, target_BKD) / temperature
        levels = [_divergence(query[level], target[level], target[1 - level], ignored_BB) for level in (0, 1)]
        return {
            "ranking": info_nce(logits_BB, ignored_BB, symmetric=False),
            "levels": (levels[0] + levels[1]) / 2,
        }

    def _text(self, words: Words) -> tuple[Tensor, Tensor]:
        """States of the text alone, and which of them count: as released as many as query tokens, padding as well."""
        states_BLW = self.text_states(words)
        _, mask_BL = self.embedded(words)
        if not self.as_released:
            return states_BLW, mask_BL
        states_BLW = states_BLW[:, : self.query_tokens.shape[1]]
        return states_BLW, torch.ones_like(mask_BL[:, : states_BLW.shape[1]])

    def _holistic(self, video_BD: Tensor, text_BD: Tensor, noise_BND: Tensor | None) -> Tensor:
        certain_B1D = self._composed(self.composer_video, video_BD[:, None], text_BD[:, None])
        text_B1D, video_B1D = text_BD[:, None], video_BD[:, None]
        mean_BD = self.probabilistic_cross(text_B1D, video_B1D)[:, 0]
        deviation_BD = self.uncertain_net_cross(text_B1D, video_B1D)[:, 0].exp()
        drawn_BND = mean_BD[:, None].expand(-1, self.samples, -1)
        if noise_BND is not None:
            drawn_BND = drawn_BND + noise_BND * deviation_BD[:, None]
        drawn_BND = F.normalize(drawn_BND, dim=-1)
        sampled_BND = self._composed(self.composer_uncertainty, video_B1D.expand_as(drawn_BND), drawn_BND)
        return F.normalize(torch.cat([certain_B1D, sampled_BND], dim=1), dim=-1)

    def _composed(self, net: nn.Sequential, video_BND: Tensor, text_BND: Tensor) -> Tensor:
        """A gated sum; as released, gates of samples are mixed up where there are several."""
        gates_BNC = net(torch.cat([video_BND, text_BND], dim=-1).transpose(1, 2)).transpose(1, 2)
        if self.as_released:
            video, text = gates_BNC.reshape(len(gates_BNC), 2 * gates_BNC.shape[1], -1).chunk(2, dim=1)
        else:
            video, text = gates_BNC.chunk(2, dim=-1)
        return video * video_BND + text * text_BND

    def _uncertain_tokens(
        self, words: Words, seen_BKW: Tensor, text_BLW: Tensor, mask_BL: Tensor, noise_BKW: Tensor | None
    ) -> Tensor:
        """Tokens whose query tokens are drawn from what image and text say, and look at the text alone."""
        drawn_BKW = self.probabilistic_cross_Token(seen_BKW, text_BLW, mask_BL)
        if noise_BKW is not None:
            drawn_BKW = drawn_BKW + noise_BKW * self.uncertain_net_cross_Token(seen_BKW, text_BLW, mask_BL).exp()
        drawn_BKW = F.normalize(drawn_BKW, dim=-1)
        words_BLW, own_mask_BL = self.embedded(words)
        seen_BK = own_mask_BL.new_ones(drawn_BKW.shape[:2])
        # without queries in the Q-Former's sense all of it goes the way of texts, as released
        states_BNW = self.qformer(
            query_embeds=torch.cat([drawn_BKW, words_BLW], dim=1),
            query_length=0,
            attention_mask=torch.cat([seen_BK, own_mask_BL], dim=1).long(),
        ).last_hidden_state
        return F.normalize(self.text_projection(states_BNW[:, : drawn_BKW.shape[1]]).float(), dim=-1)


class CrossAttention(nn.Module):
    """One head of half the width, without biases and without a scale, as released."""

    def __init__(self, width: int):
        super().__init__()
        self.w_q, self.w_k, self.w_v = (nn.Linear(width, width // 2, bias=False) for _ in range(3))
        self.w_o = nn.Linear(width // 2, width, bias=False)
        for part in (self.w_q, self.w_k, self.w_v, self.w_o):
            nn.init.xavier_uniform_(part.weight)

    def forward(self, own_BKU: Tensor, other_BLU: Tensor, mask_BL: Tensor | None = None) -> Tensor:
        """Return attended_BKU; others where the mask is False do not count."""
        likeness_BKL = self.w_q(own_BKU) @ self.w_k(other_BLU).transpose(1, 2)
        if mask_BL is not None:
            likeness_BKL = likeness_BKL.float().masked_fill(~mask_BL[:, None], NEGLIGIBLE)
        return self.w_o(likeness_BKL.softmax(dim=-1).to(other_BLU.dtype) @ self.w_v(other_BLU))


class Mean(nn.Module):
    """What is most likely."""

    def __init__(self, width: int):
        super().__init__()
        self.attention, self.fc, self.layer_norm = CrossAttention(width), _fully(width), nn.LayerNorm(width)

    def forward(self, own_BKU: Tensor, other_BLU: Tensor, mask_BL: Tensor | None = None) -> Tensor:
        """Return mean_BKU."""
        return self.layer_norm(own_BKU + self.fc(self.attention(own_BKU, other_BLU, mask_BL)).sigmoid())


class LogDeviation(nn.Module):
    """How uncertain that is."""

    def __init__(self, width: int):
        super().__init__()
        self.attention, self.fc, self.fc2 = CrossAttention(width), _fully(width), nn.Linear(width, width)

    def forward(self, own_BKU: Tensor, other_BLU: Tensor, mask_BL: Tensor | None = None) -> Tensor:
        """Return the logarithm of the deviation, (B, K, U)."""
        return self.fc(self.attention(own_BKU, other_BLU, mask_BL)) + self.fc2(own_BKU)


def _fully(width: int) -> nn.Linear:
    layer = nn.Linear(width, width)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _composer(dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(2 * dim, dim, 1), nn.LeakyReLU(), nn.Conv1d(dim, 2 * dim, 1), nn.Sigmoid())


def _flat(rows_BSD: Tensor, weights_S: Tensor) -> Tensor:
    return F.normalize((F.normalize(rows_BSD, dim=-1) * weights_S[:, None]).flatten(1), dim=-1)


def _divergence(query_BC: Tensor, target_BC: Tensor, teacher_BC: Tensor, ignored_BB: Tensor | None) -> Tensor:
    """The divergence of queries' likeness to targets from that of the other level's targets to each other."""
    taught_BB = loss_similarities(teacher_BC, teacher_BC).detach() / LIKENESS_TEMPERATURE
    found_BB = loss_similarities(query_BC, target_BC) / LIKENESS_TEMPERATURE
    if ignored_BB is not None:
        taught_BB, found_BB = (each.masked_fill(ignored_BB, NEGLIGIBLE) for each in (taught_BB, found_BB))
    return F.kl_div(found_BB.log_softmax(dim=-1), taught_BB.log_softmax(dim=-1), reduction="batchmean", log_target=True)
