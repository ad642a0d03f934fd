"""Convolutions made of vector instructions that are emitted one by one; float32 only."""
