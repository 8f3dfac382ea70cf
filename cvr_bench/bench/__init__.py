"""One model on one data set: load, train, score, write."""
