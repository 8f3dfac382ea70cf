"""A small library that is searched over HTTP."""

import pytest

from cvr_bench.search.desk import SearchSources
from tests.dataset_folders import write_videos
from tests.search_world import embedded, served


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    videos = write_videos(folder / "videos")
    return SearchSources(videos=videos, embeddings=embedded(videos, folder / "embeddings"), max_upload=200_000)


@pytest.fixture(scope="module")
def calm(sources, tmp_path_factory):
    """A server whose marks no test counts."""
    with served(sources, tmp_path_factory.mktemp("calm") / "marks.sqlite") as running:
        running.media = sources.videos.parent / "media"
        yield running


@pytest.fixture
def server(sources, tmp_path):
    with served(sources, tmp_path / "marks.sqlite") as running:
        yield running
