"""Loops that Numba compiles, one idea a file."""
