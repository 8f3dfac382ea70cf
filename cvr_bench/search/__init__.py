"""Finds videos by a clip they are like, by what should be different, or by both: a command, a page, and an API."""

from cvr_data.core.callable_module import call_as_function

call_as_function(__name__)
