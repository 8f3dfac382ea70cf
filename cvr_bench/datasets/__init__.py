"""Benchmarks, one file each."""

from cvr_data.registry import Family

DATASETS = Family(__name__)
