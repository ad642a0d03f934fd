"""What the fast kernels compute, for reading and as the oracle of tests: loops, products, whole arrays.

Twins of whole algorithms stand beside their kernels: ``fused/reference.py``, ``winograd/reference.py``.
"""
