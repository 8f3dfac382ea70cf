"""Match words with frames, each weighted by what it tells (DRL): text-to-video and video-to-text retrieval.

    cvr bench --model drl --data msrvtt --train-data msrvtt -e embeddings
    cvr bench --model drl -o interaction=ti -o aggregation=none -o cdcr=0 ...

`interaction` is dp (a text vector and the mean frame), ti (each token with its best frame and each frame with its best
token, averaged), wti (the same, weighted by what two small networks say), or xti (a Transformer over the text vector
and the frames of every pair). A composed query is its modification text; the reference video is not looked at.

`faithful` gives the numbers of the released code. `fixed` (the default) differs from it:

- padding never is a best match; as released it counts as similarity 0, which is the floor of any maximum over a text or
  a video that is shorter than `max_words` or `max_frames`;
- CDCR compares true correlations (weighted means and deviations where parts are weighted, constant channels allowed);
  as released the deviation is a sample's, means ignore the weights, and a constant channel or a batch of one is NaN;
- ti has CDCR 3, with equal weights; the released code stops there with an error;
- captions of one video, near-duplicates and equal texts are no negatives of each other; as released they are;
- xti scores a pair once per step, with one dropout; as released twice;
- xti's attention heads are 64 wide, as CLIP's; as released there are 8 whatever the width;
- the vector of a text is what its encoder says, which for CLIP is the last token, as released;
- without CLIP's text layers to start from (`clip`), the Transformer over frames starts as the identity, so that a
  frozen encoder's frames are what training begins with; as released a start without CLIP's layers is impossible.

Both train what lies behind the encoder, on stored features; weights are found from features as the encoder gives them
(`cvr embed --encoder clip -o normalise=false` for those of the paper).

Source: Wang et al., "Disentangled Representation Learning for Text-Video Retrieval", 2022
(https://arxiv.org/abs/2203.07111), code github.com/foolwood/DRL; dp is CLIP4Clip's, Luo et al., 2021.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cvr_bench.models.networks.drl.losses import Cdcr
from cvr_bench.models.networks.drl.model import MIN_TEMPERATURE, Options, load_drl
from cvr_bench.models.networks.drl.network import Aggregation, Interaction
from cvr_bench.models.networks.drl.retriever import LateRetriever
from cvr_bench.models.parts.retriever import DenseRetriever, check_one_space
from cvr_data.features.protocol import Encoder

NEEDS_REFERENCE = False
"""Whether it learns from reference videos; this one learns from captions."""


@dataclass(frozen=True, kw_only=True)
class Config:
    mode: Literal["fixed", "faithful"] = "fixed"
    """What the paper describes, or what was released."""
    interaction: Interaction = "wti"
    """How texts meet videos."""
    wti_layers: int = 2
    """Layers of the two networks that weigh tokens and frames, 1 to 3; as released 2."""
    aggregation: Aggregation = "seqTransf"
    """How the frames of a video see each other."""
    cdcr: int = 3
    """Regularisation: 0 none, 1 a random token with a random frame, 2 every part with its best match, 3 the same,
    weighted; for dp, 1 to 3 compare the two vectors, and xti has none."""
    cdcr_alpha1: float = 0.11
    """Of matching channels; as in the released recipe."""
    cdcr_alpha2: float = 0.0
    """Of channels that do not match; as in the released recipe."""
    cdcr_lambda: float = 0.001
    """Of the regularisation in the loss; as released."""
    temperature: float = 0.01
    """At the start, as CLIP's; it is learned."""
    positions: int = 77
    """Most frames of a video, as released."""
    max_words: int = 32
    """Tokens that `faithful` pads a text to: a shorter one has padding among its best matches."""
    max_frames: int = 12
    """Frames that `faithful` pads a video to."""
    clip: str | None = None
    """A CLIP (folder or hub id) whose first text layers the Transformer over frames, or xti's, starts from."""
    checkpoint: Path | None = None
    """Trained weights; None starts from random ones."""
    seed: int = 0
    """Of the first weights."""

    def __post_init__(self) -> None:
        if self.wti_layers not in (1, 2, 3):
            raise ValueError(f"wti_layers must be 1, 2 or 3, got {self.wti_layers}.")
        if self.cdcr not in (0, 1, 2, 3):
            raise ValueError(f"cdcr must be 0, 1, 2 or 3, got {self.cdcr}.")
        if self.mode == "faithful" and self.interaction == "ti" and self.cdcr == 3:
            raise ValueError("ti has no cdcr 3 as released; set cdcr to 0, 1 or 2, or mode to fixed.")
        if self.temperature < MIN_TEMPERATURE:
            raise ValueError(f"temperature must be at least {MIN_TEMPERATURE}, got {self.temperature}.")


TINY = Config(positions=16)


def load(config: Config, encoder: Encoder) -> LateRetriever | DenseRetriever:
    """Return the model over frozen features.

    Raises:
        CvrError: videos and texts are not in one space, or a checkpoint does not fit.
    """
    check_one_space(encoder, "drl")
    faithful = config.mode == "faithful"
    options = Options(
        faithful=faithful,
        interaction=config.interaction,
        wti_layers=config.wti_layers,
        aggregation=config.aggregation,
        cdcr=Cdcr(mode=config.cdcr, diagonal=config.cdcr_alpha1, others=config.cdcr_alpha2, released=faithful),
        cdcr_lambda=config.cdcr_lambda,
        temperature=config.temperature,
        positions=config.positions,
        max_words=config.max_words,
        max_frames=config.max_frames,
        clip=config.clip,
        checkpoint=config.checkpoint,
        seed=config.seed,
    )
    return load_drl(options, encoder)
