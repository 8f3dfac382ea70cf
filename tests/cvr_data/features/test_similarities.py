"""similarities: one encoder for a whole column, whatever is stored, and no band of another one."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cvr_data.features.embed import Selection, embed
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.similarities import text_similarities
from cvr_data.filters.text_similarity import Config
from cvr_data.pairs import mine_pairs as mining

PAIRS = pa.table(
    {"reference_caption": ["a red ball", "a dog", "rain"], "target_caption": ["a red cube", "a dog", "sun"]}
)


@pytest.fixture
def stored(tmp_path):
    """Features by `hash` of some of the captions."""
    pq.write_table(pa.table({"text": ["a red ball", "sun"]}), tmp_path / "texts.parquet")
    embed(
        tmp_path / "texts.parquet",
        "hash",
        ENCODERS.config("hash"),
        tmp_path / "stored",
        selection=Selection(column="text"),
    )
    return tmp_path / "stored"


def test_captions_that_are_not_stored_are_encoded_as_the_others_were(stored):
    some, none = text_similarities(PAIRS, stored, "hash"), text_similarities(PAIRS, None, "hash")
    np.testing.assert_allclose(some.to_numpy(), none.to_numpy(), atol=1e-3)
    assert some[1].as_py() == pytest.approx(1)


@pytest.mark.engine
def test_features_of_another_encoder_are_not_read(stored):
    assert text_similarities(PAIRS, stored).equals(text_similarities(PAIRS, None))


def test_a_band_of_another_encoder_is_refused(tmp_path, one_line_error):
    with pytest.raises(ValueError, match="low and high are calibrated for minilm; give those of clip"):
        Config(encoder="clip")
    assert Config(encoder="clip", low=0.6, high=0.96).encoder == "clip"
    near = mining.strategy_of("neighbors", ["text_encoder=hash"])
    with pytest.raises(mining.CvrError, match="neighbors: low and high are calibrated for minilm; give those of hash"):
        mining._text_encoder(near, [], None)
    near = mining.strategy_of("neighbors", ["text_encoder=hash", "low=0.2"])
    with pytest.raises(mining.CvrError, match=r"--filter \+text-similarity:encoder=hash,low=LOW,high=HIGH"):
        mining._text_encoder(near, [mining.parse_mining_filter("text-similarity")], None)
    fitting = mining.parse_mining_filter("text-similarity:encoder=hash,low=0.1,high=0.9")
    assert mining._text_encoder(near, [fitting], None) == "hash"


def test_a_band_holds_the_share_of_pairs_that_it_is_asked_for(tmp_path, cvr, one_line_error):
    path = tmp_path / "kept.csv"
    words = ["red", "blue", "small", "big", "old", "new", "wet", "dry"]
    rows = [f"a {words[k % 8]} ball {k},a {words[k % 7]} ball {k}\n" for k in range(200)]
    path.write_text("reference_caption,target_caption\n" + "".join(rows))
    outcome = cvr.done("calibrate", path, "--encoder", "hash", "--share", "0.9")
    low, high = (float(word) for word in outcome.out.split()[:3:2])
    columns = zip(*(row.strip().split(",") for row in rows), strict=True)
    pairs = pa.table(list(columns), ["reference_caption", "target_caption"])
    inside = [low <= value <= high for value in text_similarities(pairs, None, "hash").to_pylist()]
    assert 0.9 <= np.mean(inside) < 0.95
    path.write_text("reference_caption,target_caption\na,b\n")
    assert "1 pairs with two captions; a band needs 100" in one_line_error("calibrate", path, "--encoder", "hash")
