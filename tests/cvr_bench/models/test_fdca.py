"""fdca: the released network against torch's own layers, and what the fixed one promises."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from cvr_bench.models import fdca
from cvr_bench.models.networks.fdca.clustering import TokenClustering
from cvr_bench.models.networks.fdca.faithful import FaithfulFdca
from cvr_bench.models.networks.fdca.fixed import EXCLUDED, INJECTED, RETAINED
from cvr_bench.models.parts.batches import TrainingSet
from cvr_bench.tasks.task import Item, Query
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.protocol import TextFeatures, VideoFeatures
from cvr_data.media.video import Video

DIM = 8
TEXTS = ("a dog instead of a cat", "make it red", "not snow", "a dog instead of a cat", "bigger")


def encoder(**changes):
    module = ENCODERS.get("hash")
    return module.load(module.Config(**{"dim": DIM, "frames": 3, **changes}))


def batch(features, texts=TEXTS):
    rows = len(texts)
    training_set = TrainingSet(
        reference_ids=[f"r{row % 2}" for row in range(rows)],
        modifications=list(texts),
        target_ids=[f"t{row}" for row in range(rows)],
        target_group_ids=[f"t{row}" for row in range(rows)],
    )
    return training_set.batch(range(rows), features)


def noisy(module):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return module


@pytest.fixture
def faithful():
    torch.manual_seed(0)
    return noisy(FaithfulFdca(DIM, depth=2, hidden=16)).eval()


@pytest.mark.parametrize("name", ["trans_1", "trans_2"])
def test_a_fusion_is_torchs_transformer_on_a_sequence_of_one(faithful, name):
    width = (2 if name == "trans_1" else 3) * DIM
    layer = nn.TransformerEncoderLayer(
        width, 8, dim_feedforward=16, activation="gelu", batch_first=True, norm_first=True
    )
    peer = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    fusion = getattr(faithful, name)
    peer.load_state_dict(fusion.state_dict())
    values = torch.randn(5, width, generator=torch.Generator().manual_seed(1))
    expected = peer(values[:, None, :])[:, 0]
    assert_close(fusion(values), expected)
    with torch.no_grad():
        assert_close(fusion(values), expected)


def test_dropped_attention_weights_are_those_of_torch(faithful):
    """With one key, dropout zeroes or doubles whole heads: each head's share of the output is 0 or twice its own."""
    attention = faithful.trans_1.layers[0].self_attn.train()
    with torch.no_grad():
        attention.out_proj.weight.copy_(torch.eye(2 * DIM))
        attention.out_proj.bias.zero_()
        attention.in_proj_bias.fill_(1.0)
        attention.in_proj_weight.zero_()
    torch.manual_seed(0)
    attended = attention(torch.zeros(400, 2 * DIM)).unflatten(-1, (8, -1))
    assert set(attended.flatten().tolist()) == {0.0, 2.0}
    assert (attended == attended[..., :1]).all()
    assert attended.mean().item() == pytest.approx(1.0, abs=0.1)


def test_merged_projections_follow_a_change_of_the_weights(faithful):
    video, text = torch.randn(2, 4, DIM, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        first = faithful.encode_query(video, text)
        noisy(faithful)
        merged = faithful.encode_query(video, text)
    assert_close(merged, faithful.encode_query(video, text))
    assert not torch.allclose(first, merged)


def test_retrieval_as_released_does_not_see_the_order_of_frames():
    features = encoder()
    retriever = fdca.load(fdca.Config(mode="faithful", depth=1), features)
    retriever.module.eval()
    queries = [Query(f"q{row}", Item("v7", Video("v7")), text) for row, text in enumerate(TEXTS)]
    expected = retriever.embed(queries)
    frames = features.encode_videos([Video("v7")]).frames_BTD[0]
    turned = retriever.module.encode_query(frames.flip(0).mean(dim=0)[None], features.encode_texts([TEXTS[1]]).own_BD())
    assert_close(turned[0], expected[1])


def test_query_and_key_weights_never_get_a_gradient():
    features = encoder()
    retriever = fdca.load(fdca.Config(mode="faithful", depth=1), features)
    losses = retriever.training_step(batch(features))
    losses["loss"].backward()
    assert losses.keys() == {"loss", "sequence", "token", "retained", "triplet"}
    attention = retriever.module.trans_1.layers[0].self_attn
    assert attention.in_proj_weight.grad[: 4 * DIM].abs().max() == 0
    assert attention.in_proj_weight.grad[4 * DIM :].abs().max() > 0
    assert retriever.module.remained_extractor.imgs_pos_embedding.weight.grad is None


def test_clusters_leave_padding_out():
    torch.manual_seed(0)
    clustering = TokenClustering(DIM).eval()
    tokens, valid = torch.randn(2, 7, DIM), torch.arange(7) < torch.tensor([[4], [1]])
    convolved = clustering.convolved(tokens)
    found = clustering(convolved, valid)
    other = clustering(convolved.masked_fill(~valid[:, :, None], 9.0), valid)
    assert_close(found.means_BCD, other.means_BCD)
    weights = clustering.score(convolved[0, :4]).exp()
    member = found.cluster_BL[0, :4, None] == 0
    assert_close(
        found.means_BCD[0, 0], (weights * member * convolved[0, :4]).sum(0) / ((weights * member).sum() + 1e-6)
    )
    assert (found.means_BCD[1].abs().sum(dim=-1) == 0).sum() == 1  # one token: the other cluster is empty


def test_a_published_checkpoint_loads_without_the_clip_inside_it(tmp_path):
    weights = fdca.load(fdca.Config(mode="faithful", seed=3), encoder()).module.state_dict()
    published = {"epoch": 4, "Combiner": {**weights, "clip_model.token_embedding.weight": torch.zeros(2, 2)}}
    torch.save(published, tmp_path / "combiner_arithmetic.pt")
    config = fdca.Config(mode="faithful", checkpoint=tmp_path / "combiner_arithmetic.pt")
    assert torch.equal(fdca.load(config, encoder()).module.fc.weight, weights["fc.weight"])
    with pytest.raises(CvrError, match="is of another model or other options: it lacks"):
        fdca.load(fdca.Config(checkpoint=tmp_path / "combiner_arithmetic.pt"), encoder())


@pytest.fixture
def fixed():
    features = encoder()
    retriever = fdca.load(fdca.Config(width=16, heads=2), features)
    noisy(retriever.module).eval()
    return retriever, features


def test_every_parameter_of_fixed_has_a_gradient(fixed):
    retriever, features = fixed
    retriever.module.train()
    retriever.training_step(batch(features))["loss"].backward()
    dead = [name for name, value in retriever.module.named_parameters() if value.grad is None or not value.grad.any()]
    assert not dead


def test_roles_add_up_and_depend_on_the_video(fixed):
    retriever, features = fixed
    text = features.encode_texts(["a dog instead of a cat"] * 2)
    composed = retriever.module(features.encode_videos([Video("v1"), Video("v2")]), text)
    assert_close(composed.roles_BLR.sum(dim=-1), torch.ones_like(composed.roles_BLR[..., 0]))
    assert not torch.allclose(composed.roles_BLR[0], composed.roles_BLR[1])
    assert len({RETAINED, INJECTED, EXCLUDED}) == composed.roles_BLR.shape[-1]


def test_fixed_sees_the_order_of_frames_and_not_their_padding(fixed):
    retriever, features = fixed
    text = features.encode_texts(["spins"])
    frames = F.normalize(torch.randn(1, 3, DIM, generator=torch.Generator().manual_seed(3)), dim=-1)

    def query(frames_BTD, count):
        mask = (torch.arange(frames_BTD.shape[1]) < count)[None]
        return retriever.module(VideoFeatures(frames_BTD, mask), text).query_BD

    padded_text = TextFeatures.of(F.pad(text.tokens_BLD, (0, 0, 0, 2)), F.pad(text.mask_BL, (0, 2)), text.pooled_BD)
    video = VideoFeatures(F.pad(frames, (0, 0, 0, 4)), (torch.arange(7) < 3)[None])
    assert_close(retriever.module(video, padded_text).query_BD, query(frames, 3))
    assert not torch.allclose(query(frames.flip(1), 3), query(frames, 3), atol=1e-4)


def test_the_token_branch_is_the_sum_that_its_name_says(fixed):
    retriever, features = fixed
    module = retriever.module
    video, text = features.encode_videos([Video("v1")]), features.encode_texts(["a dog instead of a cat"])
    composed = module(video, text)
    tokens, roles = text.tokens_BLD[0], composed.roles_BLR[0]
    injected, excluded = (
        (roles[:, role, None] * tokens).sum(0) / roles[:, role].sum() for role in (INJECTED, EXCLUDED)
    )
    added = module.gains[0] * injected - module.gains[1] * excluded
    assert_close(composed.token_BD[0], F.normalize(video.pooled_BD()[0] + added, dim=0))


def test_equal_targets_and_near_duplicates_are_no_negatives(fixed):
    retriever, features = fixed
    triplets = dataclasses.replace(
        batch(features), target_ids=["a", "a", "b", "c", "d"], target_group_ids=["a", "a", "g", "g", "d"]
    )
    query = retriever.module(triplets.reference, triplets.modification).query_BD
    logits = retriever.module.scale * query @ triplets.target.pooled_BD().T
    for row, column in ((0, 1), (1, 0), (2, 3), (3, 2)):
        logits[row, column] = -torch.inf
    rows = torch.arange(len(logits))
    expected = (F.cross_entropy(logits, rows) + F.cross_entropy(logits.T, rows)) / 2
    assert_close(retriever.training_step(triplets)["query"], expected)


def test_the_triplet_loss_counts_the_texts_that_exclude_something(fixed):
    retriever, features = fixed
    plain = retriever.training_step(batch(features, ["make it red", "bigger", "spins"]))
    assert plain["triplet"].item() == 0.0
    assert retriever.training_step(batch(features))["triplet"].item() > 0.0


def test_without_the_token_branch_the_query_is_the_video_and_the_sequence_branch():
    features = encoder()
    module = fdca.load(fdca.Config(width=16, token_branch=False), features).module.eval()
    composed = module(features.encode_videos([Video("v1")]), features.encode_texts(["red"]))
    with torch.no_grad():
        module.gains[0] = 0
    again = module(features.encode_videos([Video("v1")]), features.encode_texts(["red"]))
    assert torch.equal(composed.query_BD, again.query_BD)
    assert not torch.equal(composed.token_BD, again.token_BD)


def test_an_uneven_width_is_one_line():
    with pytest.raises(ValueError, match="width must be even and a multiple of heads, got 10 and 4"):
        fdca.Config(width=10)


def test_the_lengths_of_stored_frames_and_tokens_change_nothing():
    features = encoder()
    module = fdca.load(fdca.Config(width=16), features).module.eval()
    video, text = features.encode_videos([Video("v1"), Video("v2")]), features.encode_texts(TEXTS[:2])
    longer = VideoFeatures(9 * video.frames_BTD, video.mask_BT)
    with torch.no_grad():
        composed = module(video, text)
        again = module(longer, dataclasses.replace(text, tokens_BLD=9 * text.tokens_BLD))
    assert_close(again.query_BD, composed.query_BD)
    assert_close(again.roles_BLR, composed.roles_BLR)


def test_another_right_target_of_a_query_is_no_negative():
    rows = [("r0", "make it red", "t0"), ("r0", "make it red", "t1"), ("r1", "bigger", "t1"), ("r1", "bigger", "t2")]
    columns = dict(zip(("reference_ids", "modifications", "target_ids"), zip(*rows, strict=True), strict=True))
    training_set = TrainingSet(**columns, target_group_ids=columns["target_ids"])
    ignored = training_set.batch([0, 2, 3], encoder()).ignored()
    # t1 answers the query of row 0 though its own row of that query is elsewhere; the query of row 2 does not want t0
    assert ignored.tolist() == [[False, True, False], [False, False, True], [False, True, False]]
