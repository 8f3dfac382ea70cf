"""python -m tests.golden: our numbers are the references', other files of the layout work, and what is wrong fails."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.golden import check, read
from tests.golden.__main__ import main

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*.npz"))


def run(*paths):
    return CliRunner().invoke(main, [str(path) for path in paths])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_our_numbers_are_those_of_the_reference(path):
    outcome = run(path)
    assert outcome.exit_code == 0, outcome.output
    assert outcome.output.count(" ok\n") == len(check(path).comparisons) > 0


def test_a_wrong_number_fails_and_is_named(tmp_path):
    arrays = dict(read(FOLDER / "fdca_a.npz"))
    arrays["out_retained"] = arrays["out_retained"] + 1e-3
    arrays["out_query"] = arrays["out_query"][:, :-1]
    arrays["out_triplet"] = np.float32(np.nan)
    np.savez(tmp_path / "wrong.npz", **arrays)
    outcome = run(FOLDER / "fdca_a.npz", tmp_path / "wrong.npz")
    assert outcome.exit_code == 1
    failed = [line.split()[0] for line in outcome.output.splitlines() if line.endswith("FAILED")]
    assert failed == ["query", "retained", "triplet", "query"]


def test_another_size_seed_and_depth_is_of_the_same_kind(tmp_path):
    rng = np.random.default_rng(1)
    batch, length, dim = 3, 9, 8
    shapes = json.loads(str(read(FOLDER / "fdca_a.npz")["weight_shapes_json"]))
    smaller = [(name, [size * dim // 16 if size != 2048 else 32 for size in shape]) for name, shape in shapes]
    smaller = [(name, [1] if name == "ctm.score.bias" else shape) for name, shape in smaller if ".5." not in name]
    smaller = [(name, [1, dim] if name == "ctm.score.weight" else shape) for name, shape in smaller]
    smaller = [(name, [dim, dim, 3] if name == "ctm.conv.conv.weight" else shape) for name, shape in smaller]
    text = {
        "ids": np.tile(np.arange(length) < 6, (batch, 1)).astype(np.int64),
        "ids_without_negation": np.tile(np.arange(length) < 4, (batch, 1)).astype(np.int64),
    }
    for end in ("", "_wo"):
        text[f"text_tok{end}"] = rng.standard_normal((batch, length, dim)).astype(np.float32)
        text[f"text_feat{end}"] = text[f"text_tok{end}"][:, 3]
    videos = {name: rng.standard_normal((batch, 4, dim)).astype(np.float32) for name in ("reference", "target")}
    outputs = {f"out_{name}": np.zeros((batch, dim), np.float32) for name in ("query", "query_token", "query_negative")}
    outputs |= {f"out_{name}": np.zeros((batch, dim), np.float32) for name in ("retained", "retained_token")}
    outputs |= {f"out_logits{end}": np.zeros((batch, batch), np.float32) for end in ("", "_token", "_retained")}
    path = tmp_path / "small.npz"
    weights = {"weight_seed": np.int64(7), "weight_shapes_json": np.str_(json.dumps(smaller))}
    np.savez(path, **text, **videos, **outputs, **weights, out_triplet=np.float32(0))
    found = {each.name: each.found for each in check(path).comparisons}
    np.savez(
        path, **text, **videos, **weights, **{f"out_{name}": value for name, value in found.items() if "(" not in name}
    )
    assert run(path).exit_code == 0
    assert np.allclose(np.linalg.norm(found["query"], axis=1), 1)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [({"x": np.zeros(2)}, "is no golden file we know"), ({"ids": np.zeros((2, 3))}, "lacks 'weight_seed'")],
)
def test_a_file_of_another_layout_is_one_line(tmp_path, arrays, message):
    np.savez(tmp_path / "other.npz", **arrays)
    outcome = run(tmp_path / "other.npz")
    assert outcome.exit_code == 2
    assert message in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1


def test_a_file_that_is_no_npz_is_one_line(tmp_path):
    (tmp_path / "text.npz").write_text("not numbers")
    assert run(tmp_path / "text.npz").exit_code == 2
    assert run(tmp_path / "absent.npz").exit_code == 2
