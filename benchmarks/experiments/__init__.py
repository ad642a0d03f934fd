"""Experiments on the data set: which parts of the compact network's recipe matter. README.md explains."""
