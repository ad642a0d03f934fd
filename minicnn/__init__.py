"""Convolutional networks in NumPy and Numba, with every backward pass written by hand."""

__version__ = "0.1.0"
