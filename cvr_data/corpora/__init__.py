"""Readers of captioned videos, one file per source."""

from cvr_data.registry import Family

CORPORA = Family(__name__)
