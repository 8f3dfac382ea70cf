"""The way to the Hub."""

from cvr_data.core.callable_module import call_as_function

call_as_function(__name__)
