"""hud: the description's formulas, written out plainly; its noise; what `fixed` corrects. No released numbers exist."""

import torch
import torch.nn.functional as F
from torch.testing import assert_close

from cvr_bench.models import hud
from cvr_bench.models.networks.covr.blip import Built
from cvr_bench.models.networks.covr.hud import NO_NOISE, Noise
from cvr_bench.models.networks.covr.inputs import Inputs
from cvr_bench.tasks.task import task_modifications, task_references
from tests.tiny_blip import batch, disturbed, queries

SMALL = {"width": 8, "layers": 1, "heads": 2, "dropout": 0.0, "queries": 3, "samples": 2}
WHOLE = ("probabilistic_cross", "uncertain_net_cross")
TEXTS = ("make it red", "a dog instead of a cat", "snow", "it")


def model(features, **options):
    return disturbed(hud, features, **{**SMALL, **options})


def unit(rows):
    return F.normalize(rows, dim=-1)


def attended(attention, own, other):
    """One head without a scale, one query at a time."""
    rows = []
    for row in own:
        weights = torch.stack([(attention.w_q.weight @ row) @ (attention.w_k.weight @ each) for each in other])
        values = torch.stack([attention.w_v.weight @ each for each in other])
        rows.append(attention.w_o.weight @ (weights.softmax(0) @ values))
    return torch.stack(rows)


def mean_and_deviation(mean, deviation, own, other):
    likely = mean.layer_norm(own + torch.sigmoid(mean.fc(attended(mean.attention, own, other))))
    return likely, torch.exp(deviation.fc(attended(deviation.attention, own, other)) + deviation.fc2(own))


def gates(net, video, text):
    first, second = net[0], net[2]
    hidden = F.leaky_relu(first.weight[..., 0] @ torch.cat([video, text]) + first.bias, 0.01)
    return torch.sigmoid(second.weight[..., 0] @ hidden + second.bias)


@torch.no_grad()
def plain_query(net, words, image, noise, row):
    """One query as released, of the parts of the Q-Former that are tested with covr-blip2."""
    image = net.normed(image)
    text, seen = net.text_states(words)[row, :3], net.image_states(image)[row]
    s, v = unit(net.text_projection(text)).mean(0), unit(net.vision_projection(seen)).mean(0)
    dim = len(s)
    gate = gates(net.composer_video, v, s)
    rows = [gate[:dim] * v + gate[dim:] * s]
    likely, deviation = mean_and_deviation(net.probabilistic_cross, net.uncertain_net_cross, s[None], v[None])
    z = [unit(unit(likely[0] + eps * deviation[0])) for eps in noise.holistic_BND[row]]
    both = [gates(net.composer_uncertainty, v, each) for each in z]
    halves = [half for gate in both for half in (gate[:dim], gate[dim:])]  # a sample's gates are not its own
    rows += [halves[number] * v + halves[number + len(z)] * each for number, each in enumerate(z)]
    first = net.query_tokens_of(words, image)[row]
    likely, deviation = mean_and_deviation(net.probabilistic_cross_Token, net.uncertain_net_cross_Token, seen, text)
    drawn = unit(likely + noise.tokens_BKW[row] * deviation)
    embedded, mask = net.embedded(words)
    read = net.qformer(
        query_embeds=torch.cat([drawn, embedded[row]])[None],
        query_length=0,
        attention_mask=torch.cat([mask.new_ones(3), mask[row]])[None].long(),
    ).last_hidden_state[0, :3]
    return torch.cat([unit(torch.stack(rows)), first, unit(net.text_projection(read))])


def plain_pool(best, matrix):
    return ((((best / 0.01).softmax(0) @ matrix) / 0.01).softmax(0) * best).sum()


@torch.no_grad()
def test_queries_and_scores_are_those_of_the_description(features):
    found = model(features, mode="faithful")
    net = found.module
    asked = queries(*TEXTS)
    inputs = Inputs(hud.Config(**SMALL, mode="faithful"), features, Built(net), hud.AS_PUBLISHED)
    words, image = inputs.words(task_modifications(asked)), inputs.images(task_references(asked))
    generator = torch.Generator().manual_seed(3)
    noise = Noise(torch.randn(4, 2, 20, generator=generator), torch.randn(4, 3, 8, generator=generator))
    query = net.query(words, image, noise)
    expected = torch.stack([plain_query(net, words, image, noise, row) for row in range(4)])
    assert_close(query, expected, atol=1e-5, rtol=1e-5)
    target = net.target(image)
    scores = torch.empty(4, 4)
    for row in range(4):
        for column in range(4):
            whole = query[row, :3] @ unit(target[column].mean(0))
            parts = (query[row, 3:] @ torch.cat([target[column], target[column]]).T).amax(1)
            scores[row, column] = (
                plain_pool(whole, net.video_logit_weight) + plain_pool(parts, net.compose_token_mat_weight)
            ) / 2
    assert_close(net.score(query, target), scores, atol=1e-5, rtol=1e-5)
    check_losses(net, query, target, scores)


def check_losses(net, query, target, scores):
    def flat(rows, weights):
        return unit((unit(rows) * weights[None, :, None]).flatten(1))

    whole = unit(target.mean(1, keepdim=True)).expand(-1, 3, -1)
    pairs = [(query[:, :3], whole, net.local_weight_hol), (query[:, 3:], torch.cat([target] * 2, 1), net.local_weight)]
    (h, th), (c, ta) = ((flat(one, weights), flat(other, weights)) for one, other, weights in pairs)
    expected = 0
    for one, other, teacher in ((h, th, ta), (c, ta, th)):
        p, q = (teacher @ teacher.T / 0.1).softmax(-1), (one @ other.T / 0.1).softmax(-1)
        expected += 0.5 * (p * (p.log() - q.log())).sum() / 4
    losses = net.losses(query, target, 0.07)
    assert_close(losses["levels"], expected)
    assert_close(losses["ranking"], F.cross_entropy(scores / 0.07, torch.arange(4)))


def test_the_teacher_of_a_level_has_no_gradient_and_noise_reaches_its_size(features):
    found = model(features)
    found.module.train()
    torch.manual_seed(0)
    losses = found.training_step(batch(features, *TEXTS))
    losses["loss"].backward()
    dead = {name for name, each in found.module.named_parameters() if each.grad is None or not each.grad.any()}
    assert {"ln_vision.weight", "ln_vision.bias"} <= dead
    # the whole has one key to attend to, so what it asks for has no effect, as released
    dead -= {f"{part}.attention.{each}.weight" for part in WHOLE for each in ("w_q", "w_k")}
    assert not {name for name in dead if name.startswith(("prob", "uncertain", "composer", "local"))}


def test_noise_of_a_query_is_off_or_its_own(features):
    asked = queries(*TEXTS)
    silent, seeded, other = (model(features, test_noise=seed) for seed in (None, 0, 1))
    for found in (silent, seeded, other):
        assert_close(found.encode_queries(asked)[1:2], found.encode_queries(asked[1:2]))
    assert not torch.allclose(silent.encode_queries(asked), seeded.encode_queries(asked), atol=1e-3)
    assert not torch.allclose(other.encode_queries(asked), seeded.encode_queries(asked), atol=1e-3)


@torch.no_grad()
def test_fixed_gates_are_a_samples_own_and_padding_says_nothing(features):
    net = model(features).module
    video, text = torch.randn(2, 2, 20), torch.randn(2, 2, 20)
    found = net._composed(net.composer_uncertainty, video, text)
    for row in range(2):
        for sample in range(2):
            gate = gates(net.composer_uncertainty, video[row, sample], text[row, sample])
            expected = gate[:20] * video[row, sample] + gate[20:] * text[row, sample]
            assert_close(found[row, sample], expected, atol=1e-6, rtol=1e-5)
    inputs = Inputs(hud.Config(**SMALL), features, Built(net), hud.AS_PUBLISHED)
    image = inputs.images(task_references(queries(*TEXTS)))
    alone, beside = inputs.words(["snow"]), inputs.words(["snow", "a dog instead of a cat and one more dog"])
    both = net.query(beside, type(image)(image.tokens_BPV[:2], image.mask_BP[:2]), NO_NOISE)
    one = net.query(alone, type(image)(image.tokens_BPV[:1], image.mask_BP[:1]), NO_NOISE)
    assert_close(both[:1], one, atol=1e-5, rtol=1e-5)
