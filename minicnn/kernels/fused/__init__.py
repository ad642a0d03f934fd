"""Batch normalisation, ReLU and max pooling in one pass over memory."""
