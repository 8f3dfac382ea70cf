"""Encoders of texts and videos, one file per family."""

from cvr_data.registry import Family

ENCODERS = Family(__name__)
