"""Vector instructions for Numba, and the float32 kernels made of them."""
