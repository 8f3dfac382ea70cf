"""Clips, triplets about them, and what `cvr embed` and `cvr bench` make of them: for tests of `faithful` models.

What is expected is worked out straight: frames by PyAV, pixels by the checkpoint's own processor, networks of
transformers and of torch with the released names, and the formulas of the released code. Features are stored as
float16, so scores agree to about 1e-4, and the ranks are equal.
"""

from types import SimpleNamespace

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from cvr_data.media.video import write_mp4
from cvr_data.tables import VIDEOS
from tests.dataset_folders import write_artifact
from tests.triplet_tables import triplet, triplets

FRAMES = 4
QUERIES = [(0, "a red dog", 1), (1, "the cat and one dog", 2), (2, "one red cat", 0), (3, "12 dogs and a cat", 5),
           (4, "the dog", 3), (5, "red", 4), (1, "a cat, the cat", 6), (6, "one dog and one red dog", 7)]  # fmt: skip
CLOSE = 5e-4
"""Of scores, from features rounded to float16."""


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    """Eight clips of four frames, their table, and triplets of split test about them."""
    folder = tmp_path_factory.mktemp("filmed")
    draw = np.random.default_rng(0)
    rows, frames = [], []
    for number in range(8):
        small = draw.integers(0, 256, (FRAMES, 5, 4, 3), dtype=np.uint8)
        write_mp4(folder / f"v{number}.mp4", small.repeat(8, axis=1).repeat(10, axis=2))
        with av.open(str(folder / f"v{number}.mp4")) as file:
            frames.append(np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]))
        rows.append({"video_id": f"v{number}", "captions": [f"a dog, {number}"], "source": "drawn",
                     "path": str(folder / f"v{number}.mp4"), "split": "test"})  # fmt: skip
    write_artifact(folder / "videos", "import-tiny", rows, VIDEOS)
    described = [
        "a dog and a cat",
        "the red cat",
        "12 dogs",
        "one dog",
        "a cat",
        "the dog and the cat",
        "a red one",
        "",
    ]
    table = triplets(
        *(
            triplet(f"v{first}", text, f"v{last}", split="test", reference_caption=described[first] or "red red dog")
            for first, text, last in QUERIES
        )
    )
    pq.write_table(table, folder / "triplets.parquet")
    return SimpleNamespace(folder=folder, frames=frames, described=[described[first] for first, _, _ in QUERIES])


@pytest.fixture
def benched(filmed, cvr, tmp_path):
    """(encoder, its folder, model, weights, more options) -> (scores_QG, ranks) of `cvr embed` and `cvr bench`."""

    def run(encoder, checkpoint, model, weights, *options, normalise="true", tokens="vision"):
        out = tmp_path / "out"
        same = ["--encoder", encoder, "-o", f"model={checkpoint}", "-o", "dtype=float32", "-o", f"frames={FRAMES}"]
        commands = [
            ["embed", filmed.folder / "videos", *same, "-o", f"normalise={normalise}", "-O", out / "features",
             *(["--all-tokens"] if encoder == "blip" else [])],
            ["bench", "-m", model, "-o", "mode=faithful", *(word for one in options for word in ("-o", one)), "--data",
             filmed.folder / "triplets.parquet", "-e", out / "features", "--checkpoint", weights, "--save-scores",
             "--no-audit", "-O", out / "results"],
        ]  # fmt: skip
        if encoder == "blip2":
            looked_at = [*same, "-o", f"tokens={tokens}", "--all-tokens", "-O", out / "looked-at"]
            commands.insert(0, ["embed", filmed.folder / "videos", *looked_at])
            commands[-1] += ["-o", f"reference_tokens={out / 'looked-at'}"]
        for command in commands:
            cvr.done(*command)
        folder = next((out / "results").iterdir())
        rows = {(row["reference_id"], row["modification"]): row for row in triplet_rows(filmed)}
        ranks = {row["query_id"]: row["rank"] for row in pq.read_table(folder / "ranks.parquet").to_pylist()}
        order = [rows[f"v{first}", text]["query_id"] for first, text, _ in QUERIES]
        scored = pq.read_table(folder / "score-queries.parquet").column("query_id").to_pylist()
        items = pq.read_table(folder / "score-items.parquet").column("item_id").to_pylist()
        scores = np.load(folder / "scores.npy")[[scored.index(name) for name in order]]
        return scores[:, [items.index(f"v{number}") for number in range(8)]], [ranks[name] for name in order]

    return run


def triplet_rows(filmed):
    return pq.read_table(filmed.folder / "triplets.parquet").to_pylist()


def check(found, expected_QG):
    """Scores agree as far as float16 goes, and ranks are those of the expected scores without the reference."""
    scores, ranks = found
    expected = expected_QG.detach().numpy()
    assert np.abs(scores - expected).max() < CLOSE * max(1, np.abs(expected).max())
    wanted = []
    for row, (first, _, last) in enumerate(QUERIES):
        others = [column for column in range(8) if column not in (first, last)]
        wanted.append(1 + int((expected[row, others] >= expected[row, last]).sum()))
    assert ranks == wanted
    assert len(set(wanted)) > 2  # ranks that differ tell models apart


def references(values_V):
    return torch.stack([values_V[first] for first, _, _ in QUERIES])


def roughened(module, scale=0.1):
    """The module with weights that differ everywhere: fresh norms of 1 and copied layers would hide a mistake."""
    torch.manual_seed(1)
    for parameter in module.parameters():
        parameter.data.add_(torch.randn_like(parameter) * scale)
    return module.eval()
