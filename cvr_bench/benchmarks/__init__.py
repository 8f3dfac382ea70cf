"""Benchmarks, one file each."""

from cvr_data.core.registry import Family

DATASETS = Family(__name__)
