"""Several layers in one pass over memory."""
