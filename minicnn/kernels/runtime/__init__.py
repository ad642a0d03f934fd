"""What the compiled kernels have in common: compiling (``jit``, ``cache_folder``), threads (``thread_pool``,
``thread_count``, ``blas``), memory (``aligned``, ``chunks``) and ``RowConsumer``.
"""
