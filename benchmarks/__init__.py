"""Benchmarks: minicnn beside its peers, in one run. ``python -m benchmarks --help``; README.md explains."""
