"""Every `faithful` model over CLIP, from texts and files of frames to scores and ranks."""

import hashlib
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from tests.cvr_bench.models.faithful import QUERIES, benched, check, filmed, references, roughened
from tests.cvr_data.features.encoders.conftest import blip2_folder, blip_folder, clip_folder, merges
from tests.cvr_data.features.encoders.test_transformers_encoders import processed, tokenized

__all__ = ["benched", "blip2_folder", "blip_folder", "clip_folder", "filmed", "merges"]
pytestmark = pytest.mark.slow


@torch.no_grad()
def clip_features(folder, filmed):
    """(frames_VTD, own_BD, tokens of each text), all as CLIP projects them, of any length."""
    from transformers import CLIPModel

    clip = CLIPModel.from_pretrained(folder).eval()
    pixels = [processed(folder, frames)["pixel_values"] for frames in filmed.frames]
    frames = torch.stack([clip.visual_projection(clip.vision_model(each).pooler_output) for each in pixels])
    own, tokens = [], []
    for _, text, _ in QUERIES:
        read = clip.text_model(**tokenized(folder, [text], 16))
        own.append(clip.text_projection(read.pooler_output)[0])  # the end-of-text token, by its id
        tokens.append(clip.text_projection(read.last_hidden_state)[0])
    return frames, torch.stack(own), tokens


class ReleasedFdca(nn.Module):
    """FDCA's modules as torch has them, with the names of the released file."""

    def __init__(self, dim):
        super().__init__()
        layer = {"nhead": 8, "dropout": 0.5, "activation": "gelu", "batch_first": True, "norm_first": True}
        self.remained_extractor = nn.Module()
        self.remained_extractor.attention = nn.MultiheadAttention(dim, 8, batch_first=True)
        self.remained_extractor.linear1, self.remained_extractor.linear2 = (
            nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim),
        )  # fmt: skip
        self.remained_extractor.norm1, self.remained_extractor.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.remained_extractor.imgs_pos_embedding = nn.Embedding(8, dim)
        self.remained_extractor.words_pos_embedding = nn.Embedding(77, dim)
        self.trans_1 = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(2 * dim, **layer), 6, enable_nested_tensor=False
        )
        self.trans_2 = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(3 * dim, **layer), 6, enable_nested_tensor=False
        )
        self.fc = nn.Linear(3 * dim, dim)
        self.ctm = nn.Module()
        self.ctm.conv = nn.Module()
        self.ctm.conv.conv = nn.Conv1d(dim, dim, 3, padding=1, bias=False)
        self.ctm.norm, self.ctm.score = nn.LayerNorm(dim), nn.Linear(dim, 1)

    @torch.no_grad()
    def forward(self, video_BD, text_BD):
        part = self.remained_extractor
        key_B1D = text_BD[:, None]
        hidden = part.norm1(key_B1D + part.attention(video_BD[:, None], key_B1D, key_B1D)[0])
        retained = part.norm2(hidden + part.linear2(F.relu(part.linear1(hidden))))
        first = self.trans_1(torch.cat([video_BD[:, None], retained], dim=-1))
        second = self.trans_2(torch.cat([first, key_B1D - retained], dim=-1))
        return F.normalize(self.fc(second)[:, 0], dim=-1)


def test_fdca_reads_the_end_of_text_token_as_clip_projects_it(filmed, benched, clip_folder, tmp_path):
    released = roughened(ReleasedFdca(24))
    weights = {**released.state_dict(), "clip_model.visual.proj": torch.zeros(2)}
    torch.save({"epoch": 3, "Combiner": weights}, tmp_path / "combiner_arithmetic.pt")
    found = benched("clip", clip_folder, "fdca", tmp_path / "combiner_arithmetic.pt", normalise="false")
    frames, own, _ = clip_features(clip_folder, filmed)
    gallery = F.normalize(frames.mean(dim=1), dim=-1)
    check(found, released(references(frames.mean(dim=1)), own) @ gallery.T)
    unit_BD = released(references(frames.mean(dim=1)), F.normalize(own, dim=-1))  # what was read before
    assert F.cosine_similarity(released(references(frames.mean(dim=1)), own), unit_BD).min() < 0.99


@torch.no_grad()
def test_the_combiner_reads_image_and_text_as_clip_projects_them(filmed, benched, clip_folder, tmp_path):
    dim, projection, hidden = 24, 96, 192
    released = nn.ModuleDict({
        "text_projection_layer": nn.Linear(dim, projection), "image_projection_layer": nn.Linear(dim, projection),
        "combiner_layer": nn.Linear(2 * projection, hidden), "output_layer": nn.Linear(hidden, dim),
        "dynamic_scalar": nn.Sequential(nn.Linear(2 * projection, hidden), nn.ReLU(), nn.Dropout(0.5),
                                        nn.Linear(hidden, 1), nn.Sigmoid()),
    })  # fmt: skip
    roughened(released)
    torch.save({"epoch": 1, "Combiner": released.state_dict()}, tmp_path / "combiner.pt")
    found = benched("clip", clip_folder, "combiner", tmp_path / "combiner.pt", normalise="false")
    frames, text, _ = clip_features(clip_folder, filmed)
    image = references(frames.mean(dim=1))
    both = torch.cat([F.relu(released.text_projection_layer(text)), F.relu(released.image_projection_layer(image))], -1)
    share = released.dynamic_scalar(both)
    output = released.output_layer(F.relu(released.combiner_layer(both))) + share * text + (1 - share) * image
    check(found, F.normalize(output, dim=-1) @ F.normalize(frames.mean(dim=1), dim=-1).T)


@torch.no_grad()
def test_tirg_reads_image_and_text_as_clip_projects_them(filmed, benched, clip_folder, tmp_path):
    dim = 24
    gate = nn.Sequential(nn.BatchNorm1d(2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))
    residual = nn.Sequential(nn.BatchNorm1d(2 * dim), nn.ReLU(), nn.Linear(2 * dim, 2 * dim), nn.ReLU(),
                             nn.Linear(2 * dim, dim))  # fmt: skip
    released = roughened(nn.ModuleDict({"gate": gate, "residual": residual}))
    for norm in (gate[0], residual[0]):
        norm.running_mean.add_(torch.randn(2 * dim))
        norm.running_var.add_(torch.rand(2 * dim))
    weights = {**released.state_dict(), "gate_share": torch.tensor(1.2), "residual_share": torch.tensor(3.0),
               "log_scale": torch.tensor(1.0)}  # fmt: skip
    save_file(weights, tmp_path / "tirg.safetensors")
    found = benched("clip", clip_folder, "tirg", tmp_path / "tirg.safetensors", normalise="false")
    frames, text, _ = clip_features(clip_folder, filmed)
    image = references(frames.mean(dim=1))
    both = torch.cat([image, text], dim=-1)
    output = 1.2 * torch.sigmoid(gate(both)) * image + 3.0 * residual(both)
    check(found, F.normalize(output, dim=-1) @ F.normalize(frames.mean(dim=1), dim=-1).T)


def seen_by_each_other(frames_TD, state, heads):
    """DRL's seqTransf of one clip, with the weights of a state dict."""
    x = frames_TD + state["frames.frame_position_embeddings.weight"][: len(frames_TD)]
    for number in range(4):
        at = {
            name.split(f"resblocks.{number}.")[1]: value for name, value in state.items() if f"blocks.{number}." in name
        }
        y = F.layer_norm(x, x.shape[-1:], at["ln_1.weight"], at["ln_1.bias"], 1e-12)
        parts = (y @ at["attn.in_proj_weight"].T + at["attn.in_proj_bias"]).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (heads, -1)).transpose(0, 1) for part in parts)
        attended = ((query @ key.transpose(1, 2)) / query.shape[-1] ** 0.5).softmax(-1) @ value
        x = x + attended.transpose(0, 1).flatten(1) @ at["attn.out_proj.weight"].T + at["attn.out_proj.bias"]
        y = F.layer_norm(x, x.shape[-1:], at["ln_2.weight"], at["ln_2.bias"], 1e-12)
        y = y @ at["mlp.c_fc.weight"].T + at["mlp.c_fc.bias"]
        x = x + (y * torch.sigmoid(1.702 * y)) @ at["mlp.c_proj.weight"].T + at["mlp.c_proj.bias"]
    return frames_TD + x


def drawn_drl(model, tmp_path, **options):
    """Random weights of the names and shapes of a model."""
    from cvr_bench.models import MODELS

    encoder = SimpleNamespace(name="clip", dim=24, text_dim=24)
    module = MODELS.get(model).load(MODELS.get(model).Config(mode="faithful", **options), encoder).module
    state = {name: value.clone() for name, value in roughened(module).state_dict().items()}
    save_file(state, tmp_path / "drl.safetensors")
    return state


@torch.no_grad()
def test_drl_weighs_tokens_and_frames_as_clip_projects_them(filmed, benched, clip_folder, tmp_path):
    state = drawn_drl("drl", tmp_path)
    found = benched("clip", clip_folder, "drl", tmp_path / "drl.safetensors", normalise="false")
    frames, _, tokens = clip_features(clip_folder, filmed)

    def weights(rows_ND, head):
        hidden = F.relu(rows_ND @ state[f"{head}.0.weight"].T + state[f"{head}.0.bias"])
        return (hidden @ state[f"{head}.2.weight"].T + state[f"{head}.2.bias"])[:, 0].softmax(0)

    rows = []
    for text in tokens:
        row = []
        for clip in frames:
            seen = seen_by_each_other(clip, state, heads=1)
            alike = F.normalize(text, dim=-1) @ F.normalize(seen, dim=-1).T
            padded = F.pad(alike, (0, 12 - len(seen), 0, 32 - len(text)))  # as released: what is padded counts as 0
            best_frame, best_token = padded.amax(dim=1)[: len(text)], padded.amax(dim=0)[: len(seen)]
            of_text, of_video = weights(text, "text_weight_fc"), weights(seen, "video_weight_fc")
            row.append(((of_text * best_frame).sum() + (of_video * best_token).sum()) / 2)
        rows.append(torch.stack(row))
    check(found, torch.stack(rows))


@torch.no_grad()
def test_clip4clip_compares_the_end_token_with_frames_that_see_each_other(filmed, benched, clip_folder, tmp_path):
    state = drawn_drl("clip4clip", tmp_path, header="seqTransf")
    weights = tmp_path / "drl.safetensors"
    found = benched("clip", clip_folder, "clip4clip", weights, "header=seqTransf", normalise="false")
    frames, own, _ = clip_features(clip_folder, filmed)
    seen = torch.stack([F.normalize(seen_by_each_other(clip, state, heads=1), dim=-1).mean(dim=0) for clip in frames])
    check(found, F.normalize(own, dim=-1) @ F.normalize(seen, dim=-1).T)


def test_features_of_another_length_than_released_weights_read_are_refused(
    one_line_error, cvr, filmed, clip_folder, tmp_path
):
    same = ["--encoder", "clip", "-o", f"model={clip_folder}", "-o", "frames=2", "-O", tmp_path / "features"]
    cvr.done("embed", filmed.folder / "videos", *same)
    bench = ["bench", "--data", filmed.folder / "triplets.parquet", "-e", tmp_path / "features", "-O", tmp_path / "out"]
    for model in ("combiner", "tirg", "drl"):
        line = one_line_error(*bench, "-m", model, "-o", "mode=faithful", "--checkpoint", clip_folder)
        assert "cvr embed -o normalise=false" in line


def test_texts_stored_without_their_lengths_are_read_but_by_released_weights(tmp_path, clip_folder, filmed, cvr):
    from cvr_data.core.errors import CvrError
    from cvr_data.core.whole_files import parquet_bytes, write_bytes
    from cvr_data.features.store import FeatureStore

    same = ["--encoder", "clip", "-o", f"model={clip_folder}", "-o", "frames=2", "-O", tmp_path / "features"]
    cvr.done("embed", filmed.folder / "videos", *same)
    texts = ["a dog, 1", "a dog, 2"]
    new = FeatureStore.open(tmp_path / "features").texts(texts)
    ends = torch.stack([rows[mask][-1] for rows, mask in zip(new.tokens_BLD, new.mask_BL, strict=True)])
    assert torch.allclose(new.own_BD(), ends, rtol=2e-3, atol=2e-3)
    manifest = (tmp_path / "features" / "manifest.json").read_text()
    for part in (tmp_path / "features").glob("part-*.parquet"):
        content = parquet_bytes(pq.read_table(part).drop_columns("length"))
        manifest = manifest.replace(hashlib.sha256(part.read_bytes()).hexdigest(), hashlib.sha256(content).hexdigest())
        manifest = manifest.replace(f": {part.stat().st_size}", f": {len(content)}")
        write_bytes(part, content)
    write_bytes(tmp_path / "features" / "manifest.json", manifest.encode())
    old = FeatureStore.open(tmp_path / "features").texts(texts)
    assert torch.equal(old.pooled_BD, new.pooled_BD)
    with pytest.raises(CvrError, match="stored without the lengths of texts"):
        old.own_BD()
