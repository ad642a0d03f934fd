"""The readable twins: what every fast kernel computes, as loops, as a matrix product, as whole arrays."""
