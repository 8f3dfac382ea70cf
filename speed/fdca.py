"""FDCA's training step and query encoding from cached features, beside the procedure of its authors, at its real size.

    python speed/fdca.py                   # some minutes on two cores
    python speed/fdca.py --batch 16 --steps 2

The authors' procedure is written here from its description: every step reads two `.npy` files per triplet, encodes the
caption and its view without negation with the frozen text tower of CLIP RN50x4 (random weights of that size, 77
tokens), runs three fusions one after the other, and attention whose query and key projections have no effect. Ours
reads stored features of the same shapes. Both train the same 214 M parameters with Adam, in float32; the step of Adam
costs the same whatever the batch, so small batches show less of the difference.
"""

# Shapes: B triplets, T frames, L tokens, D embedding.

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from measuring import print_machine, seconds_of
from torch import Tensor, nn

from cvr_bench.data.remembering import RememberingEncoder
from cvr_bench.models import fdca
from cvr_bench.models.networks.fdca.faithful import (
    Composition,
    FaithfulFdca,
    FaithfulLosses,
    SingleKeyAttention,
    TextView,
)
from cvr_bench.models.parts.batches import TrainingSet
from cvr_bench.tasks.task import Item, Query
from cvr_data.features.embed import embed
from cvr_data.features.encoders import ENCODERS
from cvr_data.media.video import Video
from cvr_data.tables import VIDEOS
from tests.dataset_folders import write_artifact

DIM, FRAMES, TOKENS, VOCABULARY = 640, 8, 77, 49408
WORDS = ("dog", "cat", "red", "blue", "runs", "jumps", "beach", "forest", "slowly", "night", "car", "boat")


class ReleasedAttention(nn.Module):
    """Attention with one key, all projections computed, as torch's own module does."""

    def __init__(self, ours: SingleKeyAttention):
        super().__init__()
        width = ours.out_proj.in_features
        self.attention = nn.MultiheadAttention(width, ours.heads, dropout=ours.dropout, batch_first=True)
        self.attention.load_state_dict(ours.state_dict())

    def forward(self, key_BW: Tensor) -> Tensor:
        key_B1W = key_BW[:, None]
        return self.attention(key_B1W, key_B1W, key_B1W)[0][:, 0]


class ReleasedProcedure:
    """The authors' step: files, text tower, three fusions."""

    def __init__(self, network: FaithfulFdca, folder: Path):
        from transformers import CLIPTextConfig, CLIPTextModelWithProjection

        self.folder = folder
        self.network = FaithfulFdca(DIM)
        self.network.load_state_dict(network.state_dict())
        self.replace_attention(self.network)
        config = CLIPTextConfig(
            vocab_size=VOCABULARY, hidden_size=DIM, intermediate_size=4 * DIM, num_hidden_layers=12,
            num_attention_heads=10, max_position_embeddings=TOKENS, projection_dim=DIM, hidden_act="quick_gelu",
        )  # fmt: skip
        self.tower = CLIPTextModelWithProjection(config).eval()

    def replace_attention(self, module: nn.Module) -> None:
        for name, child in list(module.named_children()):
            if isinstance(child, SingleKeyAttention):
                setattr(module, name, ReleasedAttention(child))
            else:
                self.replace_attention(child)

    def frames(self, video_ids: list[str]) -> Tensor:
        return torch.stack([torch.from_numpy(np.load(self.folder / f"{video_id}.npy")) for video_id in video_ids])

    def text(self, texts: list[str]) -> TextView:
        ids_BL = torch.zeros(len(texts), TOKENS, dtype=torch.long)
        for row, text in enumerate(texts):
            ids = [VOCABULARY - 2, *(hash_word(word) for word in text.split()), VOCABULARY - 1]
            ids_BL[row, : len(ids)] = torch.tensor(ids)
        with torch.no_grad():
            found = self.tower(input_ids=ids_BL)
        return TextView(found.text_embeds, found.last_hidden_state, ids_BL != 0)

    def compose(self, video_BD: Tensor, text: TextView, stripped: TextView) -> Composition:
        net = self.network
        retained_BD = net.remained_extractor(text.pooled_BD)
        polluted_BD, injected_BD, retained_token_BD = net._disentangle(video_BD, text, stripped)
        return Composition(
            query_BD=net._fuse(video_BD, [(retained_BD, text.pooled_BD - retained_BD)])[0],
            query_token_BD=net._fuse(video_BD, [(retained_token_BD, injected_BD)])[0],
            query_negative_BD=net._fuse(video_BD, [(polluted_BD, injected_BD)])[0],
            retained_BD=F.normalize(retained_BD, dim=-1),
            retained_token_BD=F.normalize(retained_token_BD, dim=-1),
            video_BD=video_BD,
        )

    def encode(self, reference_ids: list[str], texts: list[str]) -> Composition:
        stripped = [fdca.fdca_without_negation_as_released(text) for text in texts]
        return self.compose(self.frames(reference_ids).mean(dim=1), self.text(texts), self.text(stripped))

    def losses(self, reference_ids: list[str], texts: list[str], target_ids: list[str]) -> Tensor:
        composition = self.encode(reference_ids, texts)
        return FaithfulLosses.of(composition, self.frames(target_ids).mean(dim=1)).named()["loss"]


def hash_word(word: str) -> int:
    return 1000 + sum(ord(letter) * 31**place for place, letter in enumerate(word)) % 40000


def make_data(folder: Path, triplets: int) -> tuple[RememberingEncoder, TrainingSet]:
    """Stored features of FDCA's shapes, the same frames as .npy files, and triplets of ten words."""
    draw = np.random.default_rng(0)
    ids = [f"v{number}" for number in range(triplets)]
    rows = [{"video_id": video_id, "captions": [video_id], "source": "drawn"} for video_id in ids]
    write_artifact(folder / "videos", "import-drawn", rows, VIDEOS)
    made = embed(folder / "videos", "hash", ENCODERS.get("hash").Config(dim=DIM, frames=FRAMES), folder / "features")
    stored = ENCODERS.get("stored").load(ENCODERS.config("stored", {"embeddings": str(made.path)}))
    (folder / "npy").mkdir()
    for video_id in ids:
        frames_TD = stored.encode_videos([Video(video_id)]).frames_BTD[0].numpy()
        np.save(folder / "npy" / f"{video_id}.npy", np.resize(frames_TD, (FRAMES, DIM)))
    texts = [f"{' '.join(draw.choice(WORDS, 6))} instead of {' '.join(draw.choice(WORDS, 2))}" for _ in ids]
    targets = draw.permutation(ids).tolist()
    training_set = TrainingSet(reference_ids=ids, modifications=texts, target_ids=targets, target_group_ids=targets)
    return RememberingEncoder(stored), training_set


def warm_seconds(call: Callable[[], Any], repeats: int) -> float:
    """The median of some calls, after one that does not count."""
    call()
    return seconds_of(call, repeats)


def stepper(parameters: Any, loss: Callable[[], Tensor]) -> Callable[[], None]:
    optimizer = torch.optim.Adam(parameters, lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def compare(batch: int, steps: int) -> None:
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        encoder, data = make_data(folder, batch)
        ours = fdca.load(fdca.Config(mode="faithful"), encoder)
        assert isinstance(ours.module, FaithfulFdca)
        released = ReleasedProcedure(ours.module, folder / "npy")
        rows = list(range(batch))
        given = (list(data.reference_ids), list(data.modifications), list(data.target_ids))
        training_step = ours.training_step
        assert training_step is not None
        ours.module.train()
        released.network.train()
        theirs_s = warm_seconds(stepper(released.network.parameters(), lambda: released.losses(*given)), steps)
        ours_s = warm_seconds(
            stepper(ours.module.parameters(), lambda: training_step(data.batch(rows, encoder))["loss"]), steps
        )
        parameters = sum(parameter.numel() for parameter in ours.module.parameters())
        print(f"FDCA, faithful, {parameters:,} parameters, batch {batch}, {torch.get_num_threads()} threads")
        print(f"  training step   authors' {batch / theirs_s:8.2f} samples/s   ours {batch / ours_s:8.2f}   "
              f"{theirs_s / ours_s:.1f}x")  # fmt: skip
        encoding(batch, steps, ours, released, data)


def encoding(batch: int, steps: int, ours: Any, released: ReleasedProcedure, data: TrainingSet) -> None:
    """Query encoding, and that both networks give the same query for the same text features."""
    ours.module.eval()
    released.network = FaithfulFdca(DIM)
    released.network.load_state_dict(ours.module.state_dict())
    released.replace_attention(released.network)
    released.network.eval()
    queries = [
        Query(str(row), Item(video_id, Video(video_id)), text)
        for row, (video_id, text) in enumerate(zip(data.reference_ids, data.modifications, strict=True))
    ]
    given = (list(data.reference_ids), list(data.modifications))
    with torch.no_grad():
        theirs_s = warm_seconds(lambda: released.encode(*given), steps)
        text = released.text(given[1])
        video_BD = released.frames(given[0]).mean(dim=1)
        expected_BD = released.compose(video_BD, text, text).query_BD
        error = (ours.module.encode_query(video_BD, text.pooled_BD) - expected_BD).abs().max()
    ours_s = warm_seconds(lambda: ours.embed(queries), max(steps, 5))
    print(f"  query encoding  authors' {batch / theirs_s:8.2f} queries/s   ours {batch / ours_s:8.2f}   "
          f"{theirs_s / ours_s:.1f}x   largest difference {error:.1e}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=128, help="triplets per step; 1,024 as released")
    parser.add_argument("--steps", type=int, default=2, help="timed steps, after one that does not count")
    given = parser.parse_args()
    print_machine()
    compare(given.batch, given.steps)


if __name__ == "__main__":
    main()
