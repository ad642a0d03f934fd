"""What the fast kernels compute, for reading and as the oracle of tests: loops, products, whole arrays."""
