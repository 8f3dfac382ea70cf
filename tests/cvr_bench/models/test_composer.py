"""composer: the sum that it corrects, what padding and lengths change, and when noise is there."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from cvr_bench.models import composer
from cvr_bench.tasks.task import Item, Query
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
