"""Every published layout: what is written is read back, whatever ids, texts, splits and numbers of targets."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_data.features.embed import embed
from cvr_data.features.encoders import hash
from cvr_data.formats import FORMATS
from cvr_data.tables import VIDEOS
from tests.dataset_folders import table_of, write_artifact
from tests.triplet_tables import triplet, triplets

pytestmark = pytest.mark.slow

IDS = [f"{number}" for number in range(100, 112)]
"""Numbers, because COCO's images and CIRCO's are; twelve, so that groups of six can be made in each split."""
OPTIONS = {"mteb-vt2v": {"media": "false"}}
SPLITS = ("train", "val", "test")
texts = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=30).map(str.strip).filter(bool)


@pytest.fixture(scope="module")
def embeddings(tmp_path_factory):
    """Features of all videos."""
    root = tmp_path_factory.mktemp("features")
    write_artifact(root / "videos", "import-test", videos_of("train"))
    return embed(root / "videos", "hash", hash.Config(dim=8, frames=2), root / "embeddings").path


def videos_of(split):
    rows = [
        {"video_id": name, "captions": [f"a clip {name}"], "description": f"clip {name} in full", "source": "test",
         "split": split}
        for name in IDS
    ]  # fmt: skip
    return table_of(rows, VIDEOS)


@st.composite
def tables(draw):
    """Triplets of one split over the twelve videos: distinct queries with one to three targets each."""
    split = draw(st.sampled_from(SPLITS))
    keys = st.tuples(st.sampled_from(IDS), texts)
    several = st.sets(st.sampled_from(IDS), min_size=1, max_size=3)
    queries = draw(st.dictionaries(keys, several, min_size=1, max_size=4))
    rows = [
        triplet(reference, text, target, split=split)
        for (reference, text), targets in queries.items()
        for target in sorted(targets - {reference} or {IDS[0] if reference != IDS[0] else IDS[1]})
    ]
    return triplets(*rows)


@pytest.mark.parametrize("annotations", ["plain", "remaped"])
@pytest.mark.parametrize("features", ["embbedings", "embeddings"])
def test_each_file_and_spelling_of_finecvr_is_read_alone(tmp_path, embeddings, annotations, features):
    module = FORMATS.get("finecvr")
    options = {"annotations": annotations, "features": features, "embeddings": str(embeddings)}
    config = FORMATS.config("finecvr", options)
    table = triplets(triplet("100", "make it blue", "101"), triplet("100", "make it blue", "102"))
    written = {path.relative_to(tmp_path).as_posix() for path in module.write(config, table, tmp_path, None)}
    suffix = "_remaped" if annotations == "remaped" else ""
    assert {f"annotations/train{suffix}.txt", "annotations/id2vdoname_train.json"} <= written
    assert not any(name.endswith(f"train{'' if suffix else '_remaped'}.txt") for name in written)
    [folder] = (tmp_path / features).iterdir()
    assert np.load(folder / "101.npy").shape[1] == 8
    assert set(module.read(config, tmp_path)["triplet_id"].to_pylist()) == set(table["triplet_id"].to_pylist())


@pytest.mark.parametrize("name", FORMATS.names())
@given(table=tables())
def test_reading_gives_the_triplets_that_were_written(tmp_path_factory, embeddings, name, table):
    module = FORMATS.get(name)
    fields = {field.name for field in dataclasses.fields(module.Config)}
    [split] = set(table["split"].to_pylist())
    options = {**OPTIONS.get(name, {}), **({"embeddings": str(embeddings)} if "embeddings" in fields else {})}
    if "split" in fields:
        options["split"] = split
    config = FORMATS.config(name, options)
    folder = tmp_path_factory.mktemp("layout")
    module.write(config, table, folder, videos_of(split))
    read = module.read(config, folder)
    for column in ("triplet_id", "query_id", "split"):
        assert sorted(read[column].to_pylist()) == sorted(table[column].to_pylist()), column
    again = folder / "again"
    module.write(config, read, again, videos_of(split))
    assert np.array_equal(
        np.sort(module.read(config, again)["triplet_id"].to_numpy()), np.sort(read["triplet_id"].to_numpy())
    )
