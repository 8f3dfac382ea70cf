"""Writers of modification texts, one file per LLM backend."""

from cvr_data.core.registry import Family

BACKENDS = Family(__name__)
