"""What every compiled kernel stands on: compiling, its cache, worker threads, aligned memory."""
