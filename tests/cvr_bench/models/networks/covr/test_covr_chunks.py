"""The CoVR family learns from a batch in chunks as it does from one that is whole."""

import pytest
from torch.testing import assert_close

from tests.cvr_bench.models.faithful import roughened
from tests.same_gradients import assert_same_gradients
from tests.two_processes import ROWS, gradients, model

SMALL = {"width": 8, "layers": 1, "heads": 2, "dropout": 0.0}
CASES = [
    ("covr-blip", SMALL),
    ("covr-blip", {"mode": "faithful", "variant": "late-fusion"}),
    ("covr-blip2", {**SMALL, "queries": 3}),
    ("bse-covr", SMALL),
    ("ecde", {**SMALL, "spaces": ("visual",)}),
    ("retrack", {**SMALL, "queries": 3}),
    ("retrack", {**SMALL, "queries": 3, "mode": "faithful", "batch": ROWS}),
    ("hud", {**SMALL, "queries": 3}),
]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_chunks_have_the_gradients_of_the_whole_batch(name, options):
    retriever = model(name, options)
    if name in ("retrack", "hud"):  # of tokens alike, as before training, rounding says which is the best one
        roughened(retriever.module, 0.3)
    rows = list(range(ROWS))
    losses, expected = gradients(retriever, [rows])
    found_losses, found = gradients(retriever, [rows[:2], rows[2:7], rows[7:]])
    assert_close(found_losses, losses)
    assert_same_gradients(found, expected)
