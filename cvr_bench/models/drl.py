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

from cvr_bench.models.networks.drl.model import DrlOptions, load_drl_model
from cvr_bench.models.networks.drl.retriever import LateRetriever
from cvr_bench.models.parts.retriever import DenseRetriever, check_retriever_space
from cvr_data.features.protocol import Encoder

NEEDS_REFERENCE = False
"""Whether it learns from reference videos; this one learns from captions."""


@dataclass(frozen=True, kw_only=True)
class Config(DrlOptions):
    pass


TINY = Config(positions=16)


def load(config: Config, encoder: Encoder) -> LateRetriever | DenseRetriever:
    check_retriever_space(encoder, "drl")
    return load_drl_model(config, encoder)
