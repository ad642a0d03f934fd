"""What every compiled kernel stands on: compiling, worker threads, aligned memory, fingerprints."""
