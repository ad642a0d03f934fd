"""Pure functions on arrays. Every fast kernel has a readable twin that the tests compare it with.

A guide through the files; each group builds on those before it.

What is computed, for reading and as the oracle of the tests
    reference/naive.py             loops over single numbers: the definitions
    reference/im2col.py            convolution as one matrix product, in NumPy
    reference/vectorized.py        ReLU, pooling and batch normalisation in NumPy

Which kernel runs
    dispatch.py                    which backend computes: naive, NumPy or compiled kernels
    algorithms.py                  which compiled convolution algorithm runs, and why

What compiled kernels have in common
    runtime/jit.py                 Numba's settings: compiling, and the one message about it
    runtime/best_effort_stream.py  messages that cannot stop the work
    runtime/cache_folder.py        where compiled kernels are stored
    runtime/thread_pool.py         threads that share the work of a kernel
    runtime/blas.py                the number of threads of one matrix product in NumPy
    runtime/thread_count.py        get_threads and set_threads, for kernels and NumPy's matrix products
    runtime/aligned.py             arrays that begin at a cache line
    runtime/chunks.py              passes over arrays, a piece that stays in the cache at a time
    runtime/row_consumer.py        functions that receive rows of an image while they are in the cache

Compiled loops, one idea a file
    compiled/activation.py         ReLU, and dropout's masking
    compiled/pooling.py            max and average pooling
    compiled/normalization.py      batch normalisation
    compiled/dense.py              a matrix product of few rows
    compiled/depthwise.py          convolution with one filter a channel
    compiled/patches.py            convolution as im2col in the cache and BLAS

Vector instructions for Numba, and the kernels made of them, float32 only
    simd/emitter.py                vector instructions that Numba does not emit by itself
    simd/intrinsics.py             functions made of them, callable from compiled code
    simd/microkernel.py            the tile of a matrix product that the fast convolutions are made of
    simd/strips.py                 a few rows of an image, copied with their padding
    simd/implicit_gemm.py          a product with rows of the image that overlap
    simd/small_batch.py            every weight read once, for a batch of few pixels
    simd/fingerprint.py            whether weights have changed since they were prepared
    winograd/algebra.py            3x3 with fewer multiplications: the mathematics,
    winograd/reference.py          the same on whole arrays,
    winograd/records.py            the positions and strides of the kernels' arrays,
    winograd/transforms.py         the transforms of one tile, in registers,
    winograd/tiles.py              the tiles of an image,
    winograd/filters.py            filters transformed and packed,
    winograd/tasks.py              how the output is cut into tasks,
    winograd/forward.py            forward and the input's gradient,
    winograd/weight_gradient.py    and the weights'

Several layers in one pass
    fused/batchnorm_relu_pool.py   batch normalisation, ReLU and max pooling, forward and backward
    fused/reference.py             the same on whole arrays, one layer after another
    fused/records.py               the numbers of each channel, and the positions of the pixels
    fused/row_kernels.py           one row of pixels, in registers
    fused/image_kernels.py         the row kernels over whole images
    fused/consumers.py             receivers of a convolution's rows while they are cached
"""
