"""Deals videos to test, val and train so that each split gets the queries it should, and few pairs straddle.

    dealt = deal_videos_to_splits(PairGraph.of(first, second, strength, queries), {"test": 500.0, "val": 250.0}, seed=0)

Nodes are kins of videos (near-duplicates and clips of one recording stay together), edges the pairs between them. Whole
components go to a split while they fit: that cuts nothing. Where the rest is one giant, a community is grown in it from
several seeds, always by the node that has the largest share of its pairs there, and the one that cuts the least
strength for what it gains is taken. Everything follows from the pairs and the seed.

Source of the growth: local communities, Clauset, Physical Review E 2005 (https://arxiv.org/abs/physics/0503036).
"""

# Shapes: N nodes, E edges, each between two nodes and there once.

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from cvr_data.core.parts import mix_hash_bits
from cvr_data.videos.kin import video_kin_components

SEEDS = 16
"""Nodes a community is grown from, each alone; the best is taken."""
SPARE = 0.1
"""Share by which a split may have more or fewer queries than are wanted, where that saves a cut."""
LEAST = 1e-3
"""Strength of a pair whose similarity is not above that."""


@dataclass(frozen=True)
class PairGraph:
    """What pairs there are between kins of videos."""

    nodes_N: np.ndarray
    """uint64, rising."""
    ends_E2: np.ndarray
    """Numbers of nodes, the smaller first; both are the same for pairs within one kin."""
    strength_E: np.ndarray
    """Sum of the strength of the pairs."""
    queries_E: np.ndarray
    """How many queries the pairs are."""

    @classmethod
    def of(cls, first: np.ndarray, second: np.ndarray, strength: np.ndarray, queries: np.ndarray) -> "PairGraph":
        """Return the graph of pairs in either direction: kins of both ends, strength and share of a query of each."""
        nodes, places = np.unique(np.concatenate([first, second]), return_inverse=True)
        ends = np.sort(places.reshape(2, -1).T, axis=1)
        edges, edge_of = np.unique(ends, axis=0, return_inverse=True)
        summed = [np.bincount(edge_of.ravel(), weights=values, minlength=len(edges)) for values in (strength, queries)]
        return cls(nodes, edges.reshape(-1, 2), *summed)


@dataclass(frozen=True)
class Dealt:
    """Which split each kin of the pair graph has, and what that costs."""

    nodes_N: np.ndarray
    splits_N: np.ndarray
    """Names of splits."""
    queries: Mapping[str, float]
    """Queries of each split."""
    cut_queries: float
    cut_strength: float
    """Mean strength of the edges' pairs that straddle, per query; 0.0 where none does."""
    kept_strength: float

    def of(self, nodes: np.ndarray) -> np.ndarray:
        """Return the split of each kin, an empty text for those of no pair."""
        place = np.searchsorted(self.nodes_N, nodes).clip(max=max(len(self.nodes_N) - 1, 0))
        if not len(self.nodes_N):
            return np.full(len(nodes), "", object)
        return np.where(self.nodes_N[place] == nodes, self.splits_N[place], "")


def deal_videos_to_splits(graph: PairGraph, wanted: Mapping[str, float], *, seed: int = 0) -> Dealt:
    """Return a split for every kin: those that are wanted get so many queries while there are any, train the rest."""
    splits_N = np.full(len(graph.nodes_N), "train", object)
    free_N = np.ones(len(graph.nodes_N), bool)
    order_N = mix_hash_bits(graph.nodes_N ^ np.uint64(seed))
    for split, queries in wanted.items():
        taken = _taken(graph, free_N, queries, order_N)
        splits_N[taken] = split
        free_N[taken] = False
    ends = splits_N[graph.ends_E2]
    is_kept = ends[:, 0] == ends[:, 1]
    names = ("train", *wanted)
    of_split = {name: float(graph.queries_E[is_kept & (ends[:, 0] == name)].sum()) for name in names}
    cut = float(graph.queries_E[~is_kept].sum())
    means = [_mean_strength(graph, is_in) for is_in in (~is_kept, is_kept)]
    return Dealt(graph.nodes_N, splits_N, of_split, cut, *means)


def _mean_strength(graph: PairGraph, is_in: np.ndarray) -> float:
    queries = graph.queries_E[is_in].sum()
    return float(graph.strength_E[is_in].sum() / queries) if queries else 0.0


def _taken(graph: PairGraph, free_N: np.ndarray, wanted: float, order_N: np.ndarray) -> list[int]:
    """Nodes with the queries that are wanted, or with all there are."""
    is_free = free_N[graph.ends_E2].all(axis=1)
    edges = graph.ends_E2[is_free]
    label_N = video_kin_components(len(free_N), edges)
    queries_N = np.bincount(label_N[edges[:, 0]], weights=graph.queries_E[is_free], minlength=len(free_N))
    left, chosen = wanted, np.zeros(len(free_N), bool)
    parts = np.flatnonzero(queries_N)
    for part in parts[np.argsort(order_N[parts], kind="stable")].tolist():
        if left > 0 and queries_N[part] <= left + SPARE * wanted:
            chosen |= label_N == part
            left -= queries_N[part]
    taken = np.flatnonzero(chosen).tolist()
    if left > SPARE * wanted and (~chosen[parts]).any():
        growth = _Growth(graph, free_N & ~chosen)
        found = [grown for start in _starts(growth, order_N) if (grown := growth.grown(start, left)).queries > 0]
        # queries that are lacking count as cut: a small community that costs little is not what was asked for
        best = min(found, key=lambda grown: ((grown.cut + max(0.0, left - grown.queries)) / grown.queries, grown.nodes))
        taken += best.nodes
    return taken


def _starts(growth: "_Growth", order_N: np.ndarray) -> list[int]:
    """Nodes at the rim, which have the weakest ties, and others drawn from all."""
    nodes = np.flatnonzero(growth.total_N > 0)
    drawn = nodes[np.argsort(order_N[nodes], kind="stable")][: SEEDS // 2]
    rim = nodes[np.lexsort((order_N[nodes], growth.total_N[nodes]))][: SEEDS // 2]
    return list(dict.fromkeys([*drawn.tolist(), *rim.tolist()]))


@dataclass(frozen=True)
class _Grown:
    nodes: list[int]
    queries: float
    cut: float
    """Strength of the pairs that leave it."""


class _Growth:
    """Grows communities in what is left of a graph."""

    def __init__(self, graph: PairGraph, free_N: np.ndarray):
        is_free = free_N[graph.ends_E2].all(axis=1)
        edges, strength, queries = (values[is_free] for values in (graph.ends_E2, graph.strength_E, graph.queries_E))
        is_own = edges[:, 0] == edges[:, 1]
        self.own_N = np.bincount(edges[is_own, 0], weights=queries[is_own], minlength=len(free_N))
        edges, strength, queries = edges[~is_own], strength[~is_own], queries[~is_own]
        both = np.concatenate([edges, edges[:, ::-1]])
        order = np.lexsort((both[:, 1], both[:, 0]))
        self.starts = np.searchsorted(both[order, 0], np.arange(len(free_N) + 1))
        self.others = both[order, 1]
        self.strength, self.queries = np.tile(strength, 2)[order], np.tile(queries, 2)[order]
        self.total_N = np.bincount(both[:, 0], weights=np.tile(strength, 2), minlength=len(free_N))

    def ties(self, node: int) -> Iterator[tuple[int, float, float]]:
        """Yield the neighbours of a node, with strength and queries."""
        rows = slice(self.starts[node], self.starts[node + 1])
        yield from zip(
            self.others[rows].tolist(), self.strength[rows].tolist(), self.queries[rows].tolist(), strict=True
        )

    def grown(self, start: int, wanted: float) -> _Grown:
        """Return the community of a node, grown until it has so many queries or nothing more to take."""
        inside: dict[int, float] = {start: 0.0}
        """Strength of a node's ties to the community, of those at its rim too."""
        members: list[int] = []
        queries, cut = 0.0, 0.0
        heap = [(0.0, 0.0, start)]
        taken = set()
        while heap and queries < wanted:
            _, tied, node = heapq.heappop(heap)
            if node in taken or -tied != inside[node]:
                continue  # more of its ties lead here since: it stands further up in the heap
            taken.add(node)
            members.append(node)
            queries += float(self.own_N[node])
            cut += float(self.total_N[node]) - 2 * inside[node]
            for other, strength, number in self.ties(node):
                if other in taken:
                    queries += number
                    continue
                inside[other] = inside.get(other, 0.0) + strength
                heapq.heappush(heap, (-inside[other] / self.total_N[other], -inside[other], other))
        return _Grown(members, queries, max(cut, 0.0))
