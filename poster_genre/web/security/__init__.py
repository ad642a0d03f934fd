"""Host and origin checks, security headers, connection timeouts, decompression bombs."""
