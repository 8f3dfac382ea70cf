"""Vectors of captions are made once on a machine, and are the same bytes whether they were found or made."""

import numpy as np
import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.kept_vectors import LEAST, kept_vectors, name_of_maker

TEXTS = [f"a clip with {number} dogs" for number in range(LEAST)]


class Encode:
    """Counts what it is asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, texts):
        self.asked.append(list(texts))
        return np.array([[len(text), hash(text) % 97] for text in texts], np.float32)


def test_a_slice_is_made_once_and_another_company_is_another_slice(tmp_path, monkeypatch):
    monkeypatch.setenv("CVR_CACHE", str(tmp_path))
    encode = Encode()
    first = kept_vectors("some", TEXTS, encode)
    assert np.array_equal(kept_vectors("some", TEXTS, encode), first) and len(encode.asked) == 1
    kept_vectors("some", [*TEXTS, "one more"], encode)
    kept_vectors("other", TEXTS, encode)
    assert len(encode.asked) == 3 and len(list((tmp_path / "vectors").iterdir())) == 3
    kept_vectors("some", TEXTS[:3], encode)
    assert len(list((tmp_path / "vectors").iterdir())) == 3


@pytest.mark.parametrize("damage", [b"", b"no array", None])
def test_what_is_damaged_or_cannot_be_written_is_made_again(damage, tmp_path, monkeypatch):
    monkeypatch.setenv("CVR_CACHE", str(tmp_path))
    if damage is None:
        (tmp_path / "vectors").write_text("a file in its place")
    encode = Encode()
    first = kept_vectors("some", TEXTS, encode)
    for path in (tmp_path / "vectors").glob("*.npy"):
        path.write_bytes(damage)
    assert np.array_equal(kept_vectors("some", TEXTS, encode), first) and len(encode.asked) == 2


def test_vectors_are_named_after_released_weights_alone():
    assert name_of_maker(ENCODERS.get("minilm").load(ENCODERS.config("minilm"))).startswith("minilm-")
    assert name_of_maker(ENCODERS.get("hash").load(ENCODERS.config("hash"))) is None


@pytest.mark.slow
@pytest.mark.engine
def test_mining_again_with_another_band_encodes_no_caption(cvr, tmp_path, monkeypatch):
    from cvr_data.core.model_packages import cache_folder

    models = cache_folder() / "models"
    models.mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("CVR_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "models").symlink_to(models)
    rows = [
        f"v{n:03d},a {('red', 'blue', 'green', 'white')[n % 4]} ball rolls in room number {n // 4}" for n in range(80)
    ]
    (tmp_path / "c.csv").write_text("\n".join(["video_id,caption", *rows]))
    monkeypatch.chdir(tmp_path)
    cvr.done("import", "table", "c.csv", "--out", "videos")
    cvr.done("mine-pairs", "videos", "-f", "text-similarity", "--out", "one")
    kept = {path: path.stat().st_size for path in (tmp_path / "cache" / "vectors").iterdir()}
    assert kept
    cvr.done("mine-pairs", "videos", "-f", "text-similarity:high=0.99", "--out", "two")
    assert {path: path.stat().st_size for path in (tmp_path / "cache" / "vectors").iterdir()} == kept
    cvr.done("mine-pairs", "videos", "-f", "text-similarity", "--out", "again")
    digests = [open_artifact(tmp_path / name).manifest["files"] for name in ("one", "again")]
    assert digests[0] == digests[1]
