"""Filters of pairs, modifications and triplets, one file each."""

from cvr_data.registry import Family

FILTERS = Family(__name__)
