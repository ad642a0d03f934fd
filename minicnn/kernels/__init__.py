"""Pure functions on arrays. Every fast kernel has a readable twin that the tests hold it against."""
