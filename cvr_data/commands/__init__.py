"""Commands of the dataset builder, one file each: parse, call one function, print."""
