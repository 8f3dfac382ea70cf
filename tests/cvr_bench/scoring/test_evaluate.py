"""evaluate: against a slow reading of the definition, and what must not matter."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cvr_bench.models.parts.retriever import DenseRetriever
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Item, Query, Task
from cvr_data.core.errors import CvrError
from cvr_data.media.video import Video
from tests.scored_by import ScoredBy

pytestmark = pytest.mark.slow


def item(number: int) -> Item:
    return Item(f"v{number:03d}", Video(f"v{number:03d}"))


def slow_ranks(task: Task, scores: dict[tuple[str, str], float]):
    """(rank, ties, allowed, ranks of all targets) of each query, one comparison at a time."""
    answers = []
    for query in task.queries:
        allowed = [
            it.item_id
            for it in task.gallery
            if task.candidates is None or it.item_id in task.candidates[query.query_id]
        ]
        if task.exclude_reference and query.reference:
            allowed = [name for name in allowed if name != query.reference.item_id]
        targets = [name for name in allowed if name in task.targets[query.query_id]]
        others = [name for name in allowed if name not in targets]
        ranks = []
        for place, score in enumerate(sorted((scores[query.query_id, name] for name in targets), reverse=True)):
            ranks.append(1 + place + sum(scores[query.query_id, name] >= score for name in others))
        best = max(scores[query.query_id, name] for name in targets)
        ties = sum(scores[query.query_id, name] == best for name in others)
        answers.append((ranks[0], ties, len(allowed), ranks))
    return answers


@st.composite
def tasks(draw):
    """A task with several targets, references in and out of the gallery, and sometimes candidate lists."""
    size = draw(st.integers(1, 12))
    gallery = [item(number) for number in range(size)]
    ids = [it.item_id for it in gallery]
    queries, targets, candidates = [], {}, {}
    for number in range(draw(st.integers(1, 5))):
        name = f"q{number}"
        target = draw(st.sets(st.sampled_from(ids), min_size=1, max_size=3))
        reference = draw(st.sampled_from([it for it in [*gallery, item(900)] if target - {it.item_id}]))
        queries.append(Query(name, reference, f"text {number}"))
        targets[name] = frozenset(target)
        found = draw(st.sampled_from(sorted(target - {reference.item_id})))
        candidates[name] = frozenset({found, *draw(st.sets(st.sampled_from(ids)))})
    pairs = [draw(st.sets(st.sampled_from(ids), min_size=2, max_size=2))] if size > 1 else []
    return Task(
        name="drawn",
        twins={name: frozenset(pair - {name}) for pair in pairs for name in pair},
        distractor_kinds=draw(st.dictionaries(st.sampled_from(ids), st.sampled_from(["mined", "same place"]))),
        distractor_types={
            "typed": {
                name: frozenset(draw(st.sets(st.sampled_from(ids), min_size=1)))
                for name in draw(st.sets(st.sampled_from(sorted(targets)), min_size=1))
            }
        },
        queries=draw(st.permutations(queries)),
        gallery=draw(st.permutations(gallery)),
        targets=targets,
        candidates=candidates if draw(st.booleans()) else None,
        protocol=Protocol(reference=draw(st.sampled_from(["exclude", "keep"]))),
    )


def slow_beside(task, scores):
    """(rank of the reference, whether the best target beats it, rank counting twins, rank among each kind)."""
    found = []
    for query in task.queries:
        own = query.reference.item_id
        of = {it.item_id: scores[query.query_id, it.item_id] for it in task.gallery}
        listed = [name for name in of if task.candidates is None or name in task.candidates[query.query_id]]
        ranked = [name for name in listed if not (task.exclude_reference and name == own)]
        targets = [name for name in ranked if name in task.targets[query.query_id]]
        is_beside = own in listed and own not in task.targets[query.query_id]
        others = [name for name in listed if name != own]
        reference = 1 + sum(of[name] >= of[own] for name in others) if is_beside else 0
        best = max(of[name] for name in targets)
        twins = {twin for name in task.targets[query.query_id] for twin in task.twins.get(name, ())}
        right = [name for name in ranked if name in twins or name in targets]
        best_right = max(of[name] for name in right)
        counting = 1 + sum(of[name] >= best_right for name in ranked if name not in right)
        kinds = [
            1 + sum(of[name] >= best for name in ranked
                    if name not in targets and task.distractor_kinds.get(name) == kind)
            for kind in sorted(set(task.distractor_kinds.values()))
        ]  # fmt: skip
        typed = task.distractor_types["typed"].get(query.query_id)
        rivals = [name for name in ranked if name in (typed or ()) and name not in targets]
        kinds.append(1 + sum(of[name] >= best for name in rivals) if typed else 0)
        found.append((reference, bool(is_beside and best > of[own]), counting, kinds))
    return found


def beside(task, ranks):
    queries = len(task.queries)
    twin_rank = ranks.rank if ranks.twin_rank is None else ranks.twin_rank
    kinds = np.zeros((queries, 0)) if ranks.kind_ranks is None else ranks.kind_ranks
    columns = (ranks.reference_rank.tolist(), ranks.beats_reference.tolist(), twin_rank.tolist(), kinds.tolist())
    return list(zip(*columns, strict=True))


def as_tuples(ranks):
    columns = (ranks.rank.tolist(), ranks.ties.tolist(), ranks.allowed.tolist(), ranks.target_ranks.to_pylist())
    return list(zip(*columns, strict=True))


@settings(deadline=None, max_examples=150)
@given(tasks(), st.data())
def test_ranks_are_those_of_the_definition(task, data):
    few_values = st.integers(0, 3)  # so that many scores are equal
    cells = [(query.query_id, it.item_id) for query in task.queries for it in task.gallery]
    scores = {cell: float(data.draw(few_values)) for cell in cells}
    ranks = evaluate(ScoredBy(lambda query, name: scores[query, name]), task, chunk=data.draw(st.integers(1, 4)))
    assert ranks.query_ids == [query.query_id for query in task.queries]
    assert as_tuples(ranks) == slow_ranks(task, scores)
    assert beside(task, ranks) == slow_beside(task, scores)


@settings(deadline=None, max_examples=100)
@given(tasks(), st.integers(0, 2**16), st.integers(1, 4), st.integers(1, 5))
def test_a_dense_retriever_ranks_by_exact_products_whatever_the_blocks(task, seed, chunk, columns):
    vectors = integer_vectors(seed)
    retriever = DenseRetriever(
        lambda queries: torch.stack([vectors(query.query_id) for query in queries]),
        lambda videos: torch.stack([vectors(video.video_id) for video in videos]),
    )
    scores = {
        (query.query_id, it.item_id): float(vectors(query.query_id) @ vectors(it.item_id))
        for query in task.queries
        for it in task.gallery
    }
    ranks = evaluate(retriever, task, chunk=chunk, columns=columns)
    assert as_tuples(ranks) == slow_ranks(task, scores)
    assert beside(task, ranks) == slow_beside(task, scores)


def integer_vectors(seed):
    """Small whole numbers: every product is exact, and many are equal."""

    def vector(name: str):
        generator = torch.Generator().manual_seed(seed * 1000 + int(name[1:]) + (500 if name[0] == "q" else 0))
        return torch.randint(-1, 2, (3,), generator=generator).float()

    return vector


def random_task(queries: int, size: int, protocol: Protocol | None = None) -> Task:
    generator = np.random.default_rng(0)
    rows = [Query(f"q{n:03d}", item(int(generator.integers(size))), "text") for n in range(queries)]
    targets = {}
    for query in rows:
        others = [n for n in range(size) if item(n).item_id != query.reference.item_id]
        targets[query.query_id] = frozenset({item(int(generator.choice(others))).item_id})
    return Task(
        name="random",
        queries=rows,
        gallery=[item(n) for n in range(size)],
        targets=targets,
        protocol=protocol or Protocol(),
    )


def gaussian_retriever(dim: int = 48, copies: int = 1) -> DenseRetriever:
    """Random directions; with `copies`, that many neighbouring videos share one."""

    def vector(number: int):
        return torch.randn(dim, generator=torch.Generator().manual_seed(number))

    return DenseRetriever(
        lambda queries: torch.stack([vector(10_000 + int(query.query_id[1:])) for query in queries]),
        lambda videos: torch.stack([vector(int(video.video_id[1:]) // copies) for video in videos]),
    )


@pytest.mark.parametrize("copies", [1, 3])
def test_chunks_blocks_and_gallery_order_do_not_matter(copies):
    task = random_task(40, 300)
    expected = evaluate(gaussian_retriever(copies=copies), task)
    if copies == 3:
        assert set(expected.ties.tolist()) <= {1, 2}  # 2 copies, less where one is the reference
        assert expected.ties.max() == 2
    turned = Task(name="random", queries=task.queries, gallery=task.gallery[::-1], targets=task.targets)
    for columns, chunk, which in ((7, 3, task), (64, 1, turned), (299, 40, turned)):
        found = evaluate(gaussian_retriever(copies=copies), which, chunk=chunk, columns=columns)
        assert as_tuples(found) == as_tuples(expected)
        assert found.top == expected.top
        assert found.top_scores == expected.top_scores


def test_the_top_list_agrees_with_the_ranks():
    task = random_task(60, 200)
    ranks = evaluate(gaussian_retriever(copies=3), task)
    columns = (ranks.top.to_pylist(), ranks.top_scores.to_pylist())
    for query, rank, top, scores in zip(task.queries, ranks.rank, *columns, strict=True):
        (target,) = task.targets[query.query_id]
        assert len(top) == len(set(top)) == 10
        assert query.reference.item_id not in top
        assert scores == sorted(scores, reverse=True)
        assert (top.index(target) + 1 if target in top else None) == (rank if rank <= 10 else None)


def test_one_item_is_ranked_first():
    task = Task(name="one", queries=[Query("q0", None, "x")], gallery=[item(0)], targets={"q0": frozenset({"v000"})})
    ranks = evaluate(gaussian_retriever(), task)
    assert (ranks.rank.tolist(), ranks.ties.tolist(), ranks.top.to_pylist()) == ([1], [0], [["v000"]])


def test_embeddings_whose_products_overflow_are_an_error():
    long = DenseRetriever(
        lambda queries: torch.full((len(queries), 2), 1e20), lambda videos: torch.full((len(videos), 2), 1e19)
    )
    with pytest.raises(CvrError, match=r"The scores of query q000.* overflow float32"):
        evaluate(long, random_task(3, 5))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_an_error(value):
    task = random_task(3, 5)
    scores = {(query.query_id, it.item_id): 0.0 for query in task.queries for it in task.gallery}
    scores["q001", "v002"] = value
    with pytest.raises(CvrError, match="A score of query q001 is NaN or infinite"):
        evaluate(ScoredBy(lambda query, name: scores[query, name]), task)
    broken = DenseRetriever(
        lambda queries: torch.ones(len(queries), 2),
        lambda videos: torch.tensor([[1.0, value if video.video_id == "v002" else 1.0] for video in videos]),
    )
    with pytest.raises(CvrError, match="The embedding of gallery item v002 is NaN or infinite"):
        evaluate(broken, task)


def test_scores_of_another_shape_are_an_error():
    task = random_task(3, 5)

    class Narrow(ScoredBy):
        def score(self, queries):
            return torch.zeros(len(queries), 2)

    with pytest.raises(ValueError, match=r"Expected scores of shape \(3, 5\), got \(3, 2\)"):
        evaluate(Narrow(lambda *_: 0.0), task)


def test_a_module_is_in_eval_mode_while_it_scores_and_as_before_after():
    module = torch.nn.Dropout(0.5).train()

    def encode(values):
        assert not module.training
        assert not torch.is_grad_enabled()
        return module(torch.ones(len(values), 4))

    evaluate(DenseRetriever(encode, encode, module=module), random_task(3, 5))
    assert module.training
