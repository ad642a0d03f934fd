"""Requests that a browser or a client must not make, and what the answers forbid a browser to do."""
