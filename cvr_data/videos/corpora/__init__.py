"""Readers of captioned videos, one file per source."""

from cvr_data.core.registry import Family

CORPORA = Family(__name__)
