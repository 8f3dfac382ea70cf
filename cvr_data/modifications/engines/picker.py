"""What comes next in each row of a batch: the best token, a draw by the row's generator, or how likely words are."""

# Shapes: B rows of a batch, V vocabulary, K tokens drawn from.

import hashlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from cvr_data.modifications.asking.choices import summed_answer_probabilities, weighed_answer
from cvr_data.modifications.asking.request import Answer, Request


class Picker:
    """Chooses each row's next token: the best, or one of the `top_k` drawn with the row's own generator."""

    def __init__(self, requests: Sequence[Request]):
        self.temperature = requests[0].parameters.temperature
        self.top_k = requests[0].parameters.top_k
        self.generators = [torch.Generator().manual_seed(_row_seed(request)) for request in requests]

    def __call__(self, logits_BV: Tensor, rows: Sequence[int]) -> Tensor:
        """Return the token of each of the rows that are open."""
        if self.temperature == 0:
            return logits_BV.argmax(dim=-1)
        count = min(self.top_k or logits_BV.shape[-1], logits_BV.shape[-1])
        values_BK, tokens_BK = (logits_BV / self.temperature).topk(count, dim=-1)
        generators = [self.generators[row] for row in rows]
        noise_BK = torch.stack([torch.rand(count, generator=generator) for generator in generators])
        # Adding Gumbel noise and taking the best is a draw from the softmax.
        best_B1 = (values_BK - (-noise_BK.clamp(min=1e-20).log()).log()).argmax(dim=-1, keepdim=True)
        return tokens_BK.gather(1, best_B1)[:, 0]


def _row_seed(request: Request) -> int:
    text = f"{request.parameters.seed} {request.messages[-1].content}"
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:7], "big")


def weighed_logits(logits_BV: Tensor, tokens: Mapping[str, Sequence[int]]) -> list[Answer]:
    """Return, per row, the log-probability of each word, whose tokens are given."""
    logprobs_BV = logits_BV.float().log_softmax(dim=-1).cpu()
    of_words = {word: logprobs_BV[:, list(own)].tolist() for word, own in tokens.items()}
    return [
        weighed_answer(
            summed_answer_probabilities({word: rows[row] for word, rows in of_words.items()}, least=0.0), tokens_out=0
        )
        for row in range(len(logprobs_BV))
    ]
