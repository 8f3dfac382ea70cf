"""What a recall does not tell: whether queries need both inputs, whether time matters, what train and test share."""
