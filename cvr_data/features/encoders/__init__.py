"""Encoders of texts and videos, one file per family."""

from cvr_data.core.registry import Family

ENCODERS = Family(__name__)
