"""sample: drawn rows of texts, pairs and triplets alike, and one line for what holds none of them."""

import json

from cvr_data.core.artifacts import open_artifact
from cvr_data.triplets.build import build_triplets, find_triplet_parts
from cvr_data.triplets.join import Config as Joined
from tests.dataset_folders import write_texts


def test_pairs_texts_and_triplets_are_shown_alike(tmp_path, cvr, one_line_error):
    texts = open_artifact(write_texts(tmp_path))
    pairs = open_artifact(texts.input_path("pairs"))
    triplets = build_triplets(find_triplet_parts([texts.path]), tmp_path / "data", Joined(), name="tiny")
    for made in (pairs, texts, triplets):
        shown = cvr("sample", made.path, "-n", "2")
        assert shown.code == 0 and shown.out.count("reference  ") == 2, shown.err
        rows = json.loads(cvr("sample", made.path, "-n", "1000", "--json").out)
        assert len(rows) == made.manifest["rows"]
        assert ("text       " in shown.out) == (made is not pairs)
    assert "no texts of its own" in one_line_error("sample", pairs.path, "--status", "ok")
    videos = open_artifact(pairs.input_path("videos"))
    assert "has no reference_id; name pairs, modifications or triplets" in one_line_error("sample", videos.path)
