"""What a recall does not tell: whether queries need both inputs, whether time matters, what train and test share."""

from cvr_data.core.callable_module import call_as_function

call_as_function(__name__)
