"""One model on one data set: load, train, score, write."""

from cvr_data.core.callable_module import call_as_function

call_as_function(__name__)
