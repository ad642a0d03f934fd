"""Pure functions on arrays. Every fast kernel has a readable twin that the tests hold it against.

A way through the files, each built on those before it:

What is computed, for reading and as the oracle
    naive.py              loops over single numbers: the definitions
    im2col.py             convolution as one matrix product, in NumPy
    vectorized.py         ReLU, pooling and batch normalisation in NumPy

Which of them runs
    dispatch.py           by argument or environment: naive, numpy, or numba, which is all below
    algorithms.py         which of the compiled convolutions, and why

How compiled kernels come about
    jit.py                Numba set up: compiling, the cache, the one message
    workers.py            the threads that share the work of a kernel
    blas.py               how many threads a matrix product of NumPy runs on
    arrays.py             arrays that begin at a cache line
    simd.py               vector instructions that Numba does not emit by itself
    microkernel.py        the tile of a matrix product that the fast convolutions are made of

Compiled loops, one idea a file
    activation.py         ReLU, and dropout's masking
    pooling.py            max and average pooling
    normalization.py      batch normalisation
    dense.py              a matrix product of few rows
    depthwise.py          convolution with one filter a channel
    patches.py            convolution as im2col in the cache and BLAS

Convolutions made of machine instructions, float32 only
    implicit_gemm.py      a product with rows of the image that overlap
    few_pixels.py         every weight read once, for one small image
    winograd_algebra.py   fewer multiplications: the mathematics,
    winograd_tiles.py     its steps on one tile,
    winograd.py           forward and the input's gradient,
    winograd_gradient.py  and the weights'
    fingerprint.py        whether prepared weights may be used again

Several layers at once
    fused_rows.py         batch normalisation, ReLU and max pooling on one row of pixels
    fused.py              the same on images, forward and backward
    rows.py               rows handed on while they are in the cache
"""
