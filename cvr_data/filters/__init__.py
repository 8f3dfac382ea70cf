"""Filters of pairs, modifications and triplets, one file each."""

from cvr_data.core.registry import Family

FILTERS = Family(__name__)
