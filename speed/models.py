"""Models against the procedures of their references: time and memory of the parts that matter.

    python speed/models.py                 # all sections, some minutes on one thread
    python speed/models.py wti cdcr        # those two
    python speed/models.py wti --sizes 300 # smaller

Each figure is of a process of its own, on one thread; memory is the peak beyond the inputs, which are there before. The
references' procedures are written here from their formulas, as slow as they are: what is compared is the way, not a
library.
"""

# Shapes: A texts, B videos, T tokens, F frames, D embedding, N rows, P pairs of a block.

import argparse
import json
from collections.abc import Callable
from typing import Any

import torch
from measuring import in_own_process, print_machine, seconds_of
from torch import Tensor, nn

from cvr_bench.models.networks.drl.losses import Cdcr, cdcr_loss
from cvr_bench.models.networks.drl.network import Architecture, DrlNetwork, drl_matches, drl_with_floor
from cvr_bench.models.parts.late_interaction import (
    TEXT_ROWS,
    VIDEO_ROWS,
    Parts,
    model_late_interaction_scores,
    model_late_interaction_tiles,
)
from cvr_bench.scoring.cost import forget_scoring_peak_memory, scoring_peak_memory
from cvr_data.features.protocol import TextFeatures, VideoFeatures

DIM, TOKENS, FRAMES = 512, 32, 12
BLOCK = 32
"""Texts and videos that the reference scores at once."""
BATCH = 128
"""Texts or videos whose parts ours makes at once."""
MEAN_TOKENS, TOKEN_DEVIATION = 11.6, 4.0
"""Of MSR-VTT's test captions, with the two special tokens."""


def network() -> DrlNetwork:
    """DRL's head with weights large enough to matter."""
    torch.manual_seed(0)
    made = DrlNetwork(
        Architecture(
            dim=DIM,
            interaction="wti",
            wti_layers=2,
            aggregation="none",
            positions=1,
            heads=1,
            cross_heads=1,
            temperature=0.01,
            start="random",
            last_token=True,
        )
    )
    for head in (made.text_weight_fc, made.video_weight_fc):
        for parameter in head.parameters():
            nn.init.normal_(parameter, std=0.2)
    return made


def features(count: int, lengths: str) -> tuple[TextFeatures, VideoFeatures]:
    """Random tokens and frames; `lengths` is msrvtt or full."""
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randn(count, TOKENS, DIM, generator=generator)
    counts = torch.full((count,), float(TOKENS))
    if lengths == "msrvtt":
        counts = (MEAN_TOKENS + TOKEN_DEVIATION * torch.randn(count, generator=generator)).round().clamp(4, TOKENS)
    mask = torch.arange(TOKENS) < counts[:, None]
    frames = torch.randn(count, FRAMES, DIM, generator=generator) + 0.2 * tokens[:, :FRAMES]
    text = TextFeatures(tokens * mask.unsqueeze(-1), mask, torch.empty(0), torch.empty(0))
    return text, VideoFeatures(frames, torch.ones(count, FRAMES, dtype=torch.bool))


def released_block(made: DrlNetwork, text: TextFeatures, video: VideoFeatures) -> Tensor:
    """The weighted token-wise interaction of a block: weights and norms anew, one tensor of all similarities."""
    text_mask, video_mask = text.mask_BL.float(), video.mask_BT.float()
    text_logits = made.text_weight_fc(text.tokens_BLD).squeeze(2).masked_fill(~text.mask_BL, float("-inf"))
    video_logits = made.video_weight_fc(video.frames_BTD).squeeze(2).masked_fill(~video.mask_BT, float("-inf"))
    tokens = text.tokens_BLD / text.tokens_BLD.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    frames = video.frames_BTD / video.frames_BTD.norm(dim=-1, keepdim=True)
    found = torch.einsum("atd,bfd->abtf", tokens, frames)
    found = torch.einsum("abtf,at->abtf", found, text_mask)
    found = torch.einsum("abtf,bf->abtf", found, video_mask)
    best_frame, _ = found.max(dim=-1)
    best_token, _ = found.max(dim=-2)
    of_tokens = torch.einsum("abt,at->ab", best_frame, text_logits.softmax(dim=-1))
    return (of_tokens + torch.einsum("abf,bf->ab", best_token, video_logits.softmax(dim=-1))) / 2


def released_scores(made: DrlNetwork, text: TextFeatures, video: VideoFeatures) -> Tensor:
    """A double loop over blocks, whose rows are put together at the end."""
    rows = []
    for first in range(0, len(text.mask_BL), BLOCK):
        part = slice(first, first + BLOCK)
        some = TextFeatures(text.tokens_BLD[part], text.mask_BL[part], text.pooled_BD, text.length_B)
        row = [
            released_block(made, some, VideoFeatures(frames, mask))
            for frames, mask in zip(video.frames_BTD.split(BLOCK), video.mask_BT.split(BLOCK), strict=True)
        ]
        rows.append(torch.cat(row, dim=1))
    return torch.cat(rows)


def our_scores(made: DrlNetwork, text: TextFeatures, video: VideoFeatures) -> Tensor:
    """What the model does: weights and norms once, tiles, a product per block; padding as released."""

    def floored(parts: Parts) -> Parts:
        return drl_with_floor(parts, ~parts.mask_BN.all(dim=1))

    texts = zip(text.tokens_BLD.split(BATCH), text.mask_BL.split(BATCH), strict=True)
    videos = zip(video.frames_BTD.split(BATCH), video.mask_BT.split(BATCH), strict=True)
    text_parts = (floored(made.text_parts(TextFeatures(*some, text.pooled_BD, text.length_B))) for some in texts)
    video_parts = (floored(made.video_parts(VideoFeatures(*some))) for some in videos)
    tiles = model_late_interaction_tiles(text_parts, TEXT_ROWS), model_late_interaction_tiles(video_parts, VIDEO_ROWS)
    return model_late_interaction_scores(*tiles)


def wti(given: argparse.Namespace) -> None:
    """Scoring of all pairs."""
    print(f"WTI, D {DIM}, {FRAMES} frames, one thread; the reference scores {BLOCK} x {BLOCK} at once")
    print(
        f"  {'texts x videos':<18}{'tokens':<16}{'reference':>11}{'ours':>9}{'ratio':>7}"
        f"{'memory':>24}{'difference':>13}"
    )
    for size in given.sizes:
        for lengths, words in (("msrvtt", "about 12 of 32"), ("full", "32 of 32")):
            found = figure_of("ours", size=size, lengths=lengths)
            base = figure_of("reference", size=size, lengths=lengths)
            apart = figure_of("difference", size=size, lengths=lengths)
            ratio, memory = base["seconds"] / found["seconds"], f"{base['mib']:.0f} -> {found['mib']:.0f} MiB"
            times = f"{base['seconds']:>9.2f} s{found['seconds']:>7.2f} s{ratio:>6.1f}x"
            print(f"  {f'{size} x {size}':<18}{words:<16}{times}{memory:>24}{apart['largest']:>13.1e}", flush=True)
    for size in given.large:
        found = figure_of("ours", size=size, lengths="msrvtt")
        matrix = 4 * size * size / 2**20
        print(
            f"  {f'{size} x {size}':<18}{'about 12 of 32':<16}{'':>11}{found['seconds']:>7.2f} s{'':>7}"
            f"{found['mib']:>20.0f} MiB   (of it scores {matrix:.0f}, parts {found['parts_mib']:.0f})",
            flush=True,
        )
    print()


def released_cdcr(text: Parts, video: Parts, found_BLT: Tensor) -> Tensor:
    """CDCR 3 with an outer product of all channels for each part."""
    sums = []
    for parts, partners, best_BN in (
        (text, video, found_BLT.argmax(dim=2)),
        (video, text, found_BLT.argmax(dim=1)),
    ):
        rows = torch.arange(len(best_BN))[:, None]
        own_ND, other_ND = parts.vectors_BND[parts.mask_BN], partners.vectors_BND[rows, best_BN][parts.mask_BN]
        own_ND, other_ND = ((side - side.mean(0)) / side.std(0) for side in (own_ND, other_ND))
        products_NDD = torch.einsum("nk,nl->nkl", own_ND, other_ND)
        sums.append((products_NDD * parts.weights_BN[parts.mask_BN][:, None, None]).sum(0) / len(best_BN))
    correlation_DD = (sums[0] + sums[1]) / 2
    own = correlation_DD.diagonal()
    others = correlation_DD.flatten()[:-1].view(DIM - 1, DIM + 1)[:, 1:].flatten()
    return 0.11 * (own - 1).pow(2).sum() + 0.06 * others.pow(2).sum()


def cdcr(given: argparse.Namespace) -> None:
    """Loss and gradient of a batch."""
    print(f"CDCR 3, loss and gradient, D {DIM}, {TOKENS} tokens at most, {FRAMES} frames, one thread")
    print(f"  {'batch':<8}{'reference':>11}{'ours':>10}{'ratio':>7}{'memory':>22}{'ratio':>7}{'losses':>24}")
    for size in given.batches:
        base = figure_of("cdcr-reference", size=size, lengths="msrvtt")
        found = figure_of("cdcr-ours", size=size, lengths="msrvtt")
        ratio, memory = base["seconds"] / found["seconds"], f"{base['mib']:.0f} -> {found['mib']:.0f} MiB"
        losses = f"{base['loss']:.4f}, {found['loss']:.4f}"
        times = f"{base['seconds']:>9.2f} s{found['seconds']:>8.3f} s{ratio:>6.0f}x"
        print(f"  {size:<8}{times}{memory:>22}{base['mib'] / found['mib']:>6.0f}x{losses:>24}", flush=True)
    print()


def measure(what: str, size: int, lengths: str, repeats: int) -> dict[str, float]:
    """One figure, in this process."""
    torch.set_num_threads(1)
    made, (text, video) = network(), features(size, lengths)
    if what.startswith("cdcr"):
        return measure_cdcr(made, text, video, what, repeats)
    with torch.no_grad():
        if what == "difference":
            return {"largest": float((our_scores(made, text, video) - released_scores(made, text, video)).abs().max())}
        way = our_scores if what == "ours" else released_scores
        made_parts = 4 * (DIM + 1) * (int(text.mask_BL.sum()) + video.mask_BT.numel()) / 2**20
        return {**seconds_and_memory(lambda: way(made, text, video), repeats), "parts_mib": made_parts}


def measure_cdcr(
    made: DrlNetwork, text: TextFeatures, video: VideoFeatures, what: str, repeats: int
) -> dict[str, float]:
    """Loss and gradient with respect to tokens, frames and weights."""
    setting = Cdcr(mode=3, diagonal=0.11, others=0.06, released=True)
    text.tokens_BLD.requires_grad_()
    video.frames_BTD.requires_grad_()
    texts, videos = made.text_parts(text), made.video_parts(video)
    with torch.no_grad():
        own_BLT = torch.diagonal(drl_matches(texts, videos, zero_mask=True), dim1=0, dim2=2).permute(2, 0, 1)
    losses: list[float] = []

    def step() -> None:
        way = released_cdcr if what == "cdcr-reference" else lambda *sides: cdcr_loss(setting, *sides)
        loss = way(texts, videos, own_BLT)
        loss.backward(retain_graph=True)
        losses.append(float(loss))

    return {**seconds_and_memory(step, repeats), "loss": losses[-1]}


def seconds_and_memory(call: Callable[[], Any], repeats: int) -> dict[str, float]:
    """The median time, and the peak of memory beyond what was held before."""
    forget_scoring_peak_memory()
    before, seconds = scoring_peak_memory(), seconds_of(call, repeats)
    return {"seconds": seconds, "mib": (scoring_peak_memory() - before) / 2**20}


def figure_of(what: str, *, size: int, lengths: str) -> dict[str, float]:
    repeats = 5 if what == "cdcr-ours" else 3 if size <= 1000 and what == "ours" else 1
    return in_own_process("--one", json.dumps([what, size, lengths, repeats]))


SECTIONS: dict[str, Callable[[argparse.Namespace], None]] = {"wti": wti, "cdcr": cdcr}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", help=f"of {', '.join(SECTIONS)}; all if none is named")
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000], help="texts, and videos, of wti")
    parser.add_argument("--large", type=int, nargs="*", default=[4000], help="the same, without the reference")
    parser.add_argument("--batches", type=int, nargs="*", default=[32], help="of cdcr")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(*json.loads(given.one))))
        return
    print_machine()
    for name in given.sections or SECTIONS:
        SECTIONS[name](given)


if __name__ == "__main__":
    main()
