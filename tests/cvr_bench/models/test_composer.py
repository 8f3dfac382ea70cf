"""composer: the sum that it corrects, what padding and lengths change, when noise is there, and motion."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from cvr_bench.models import composer
from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.tasks.task import Item, Query
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.protocol import TextFeatures, VideoFeatures
from cvr_data.media.video import Video

pytestmark = pytest.mark.slow

TEXTS = ("make it red", "not a dog, a cat without a hat", "snow")


def encoder():
    return ENCODERS.get("hash").load(ENCODERS.config("hash", {"dim": "8", "frames": "3"}))


def queries():
    return [Query(f"q{row}", Item(f"v{row}", Video(f"v{row}")), text) for row, text in enumerate(TEXTS)]


def model(**options):
    torch.manual_seed(0)
    return composer.load(composer.Config(**{"width": 8, "heads": 2, **options}), encoder())


def features():
    videos = [query.reference.video for query in queries()]
    return encoder().encode_videos(videos), encoder().encode_texts(TEXTS)


def test_before_training_each_role_has_a_third_of_every_token():
    """So what is injected and what is excluded cancel out, and the reference, corrected, is left."""
    retriever = model()
    torch.nn.init.zeros_(retriever.module.correct[-1].weight)
    torch.nn.init.zeros_(retriever.module.correct[-1].bias)
    assert_close(retriever.embed(queries()), features()[0].pooled_BD())


def test_a_query_is_the_reference_with_what_is_injected_and_without_what_is_excluded():
    retriever = model()
    module = retriever.module.eval()
    with torch.no_grad():
        module.role.bias.copy_(torch.tensor([-50.0, 50.0, -50.0]))  # every token is injected
        module.gains.copy_(torch.tensor([2.0, 5.0]))
        module.correct[-1].weight.zero_()
        module.correct[-1].bias.zero_()
    reference, text = features()
    tokens = [F.normalize(text.tokens_BLD[row][text.mask_BL[row]], dim=-1).mean(dim=0) for row in range(len(TEXTS))]
    assert_close(retriever.embed(queries()), F.normalize(reference.pooled_BD() + 2 * torch.stack(tokens), dim=-1))


def test_neither_padding_nor_the_length_of_features_has_an_influence():
    retriever = model()
    reference, text = features()
    padded = VideoFeatures(F.pad(3 * reference.frames_BTD, (0, 0, 0, 2)), F.pad(reference.mask_BT, (0, 2)))
    longer = TextFeatures(
        F.pad(5 * text.tokens_BLD, (0, 0, 0, 4)), F.pad(text.mask_BL, (0, 4)), text.pooled_BD, text.length_B
    )
    with torch.no_grad():
        assert_close(retriever.module.eval()(padded, longer), retriever.embed(queries()))


def test_noise_is_added_in_training_only_and_alike_for_all_frames_of_a_video():
    module, (reference, _) = model(noise=0.5).module, features()
    frames_BTD = F.normalize(reference.frames_BTD, dim=-1)
    assert torch.equal(module.eval().noisy(reference).frames_BTD, frames_BTD)
    added_BTD = module.train().noisy(reference).frames_BTD - frames_BTD
    mask_BT1 = reference.mask_BT.unsqueeze(-1)
    assert_close(added_BTD, added_BTD[:, :1].expand_as(added_BTD) * mask_BT1)
    assert not torch.allclose(added_BTD[0, 0], added_BTD[1, 0])
    many = VideoFeatures(frames_BTD[:1, :1].expand(4000, 1, -1), torch.ones(4000, 1, dtype=torch.bool))
    spread = (module.noisy(many).frames_BTD - many.frames_BTD).norm(dim=-1).square().mean()
    assert_close(spread, torch.tensor(0.25), atol=0.01, rtol=0)
    assert torch.equal(model(noise=0.0).module.train().noisy(reference).frames_BTD, frames_BTD)


def test_a_width_that_heads_do_not_share_is_refused():
    with pytest.raises(ValueError, match="a multiple of heads, got 10 and 4"):
        dataclasses.replace(composer.Config(), width=10)


WIDE, FRAMES = 12, 4
WAYS = ("left", "right")


class Crossing:
    """Things that cross a frame: of `thing7-left` frames are those of `thing7-right` in another order."""

    name, runs_on, dim, text_dim = "crossing", "cpu float32", WIDE, WIDE

    def encode_video_tokens(self, videos, folder=None):
        tokens_BTPD = torch.zeros(len(videos), FRAMES, composer.QUARTERS, WIDE)
        for row, video in enumerate(videos):
            thing, way = video.video_id.split("-")
            look_D = torch.randn(WIDE, generator=torch.Generator().manual_seed(int(thing[5:])))
            look_D[0] = 3.0  # what all things have
            for moment in range(FRAMES):
                is_right = (moment >= FRAMES // 2) == (way == "right")
                tokens_BTPD[row, moment, is_right::2] = look_D  # above and below
        return VideoFeatures(tokens_BTPD, torch.ones(len(videos), FRAMES, dtype=torch.bool))

    def encode_videos(self, videos):
        tokens = self.encode_video_tokens(videos)
        return VideoFeatures(tokens.frames_BTD.mean(dim=2), tokens.mask_BT)

    def encode_texts(self, texts):
        own_BD = torch.stack([torch.eye(WIDE)[1 + WAYS.index(text)] for text in texts])
        return TextFeatures.of(own_BD[:, None], torch.ones(len(texts), 1, dtype=torch.bool), own_BD)


def crossings(things):
    """(references, texts, targets): each thing goes the other way."""
    videos = {way: [Video(f"thing{thing}-{way}") for thing in things] for way in WAYS}
    return [*videos["right"], *videos["left"]], ["left"] * len(things) + ["right"] * len(things), [
        *videos["left"], *videos["right"]
    ]  # fmt: skip


def crossing_batch(things):
    references, texts, targets = crossings(things)
    encoder, ids = Crossing(), [video.video_id for video in targets]
    return TripletBatch(
        reference=encoder.encode_videos(references), modification=encoder.encode_texts(texts),
        target=encoder.encode_videos(targets), target_ids=ids, target_group_ids=ids,
        references=references, modifications=texts, targets=targets,
    )  # fmt: skip


def share_that_goes_the_right_way(retriever, things):
    """Of the two videos of each query's thing, how often the target is the better one by more than rounding."""
    references, texts, targets = crossings(things)
    queries = [Query(f"q{row}", Item(video.video_id, video), text)
               for row, (video, text) in enumerate(zip(references, texts, strict=True))]  # fmt: skip
    query_BD = retriever.embed(queries)
    with torch.no_grad():
        retriever.module.eval()
        to_target, to_other = (
            (query_BD * retriever.encode_videos(videos)).sum(dim=1) for videos in (targets, references)
        )
    return float((to_target - to_other > 1e-5).float().mean())


@pytest.mark.parametrize(("motion", "share"), [(8, 1.0), (0, 0.0)])
def test_only_with_motion_left_is_told_from_right_where_nothing_but_order_tells_them_apart(motion, share):
    torch.manual_seed(0)
    still = {"noise": 0.0, "motion_noise": 0.1, "dropout": 0.0, "fusion_dropout": 0.1}
    retriever = composer.load(composer.Config(width=16, heads=2, motion=motion, **still), Crossing())
    optimizer = torch.optim.AdamW(retriever.module.parameters(), lr=3e-3)
    for _ in range(150):
        optimizer.zero_grad()
        retriever.training_step(crossing_batch(range(16)))["loss"].backward()
        optimizer.step()
    assert share_that_goes_the_right_way(retriever, range(100, 120)) == share  # things it never saw


def test_motion_is_what_changes_over_time_whatever_padding_follows():
    frames = (4, 2, 1, 7)
    curves_BCT = composer._curves(torch.arange(7) < torch.tensor(frames)[:, None])
    for row, count in enumerate(frames):
        for halves in range(1, composer.CURVES + 1):
            waves = [math.cos(math.pi * halves * (frame + 0.5) / count) / count for frame in range(count)]
            expected = torch.tensor([*(waves if halves < count else [0.0] * count), *[0.0] * (7 - count)])
            assert_close(curves_BCT[row, halves - 1], expected, atol=1e-6, rtol=0)
    assert_close(curves_BCT.sum(dim=-1), torch.zeros(4, composer.CURVES))  # what stands still gives nothing


def test_features_without_quarters_of_frames_are_one_line():
    class Fewer(Crossing):
        def encode_video_tokens(self, videos, folder=None):
            found = super().encode_video_tokens(videos)
            return VideoFeatures(found.frames_BTD[:, :, :3], found.mask_BT)

    retriever = composer.load(composer.Config(width=8, heads=2, motion=2), Fewer())
    with pytest.raises(CvrError, match="reads 4 tokens of each frame, 12 wide, and there are 3, 12 wide; make"):
        retriever.encode_videos([Video("thing1-left")])
    with pytest.raises(CvrError, match="gives no tokens of frames"):
        composer.load(composer.Config(width=8, heads=2, motion=2), encoder()).encode_videos([Video("v")])
