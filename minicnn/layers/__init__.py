"""Layers, one concept a file."""
