"""Commands of the bench, one file each: parse, call one function, print."""
