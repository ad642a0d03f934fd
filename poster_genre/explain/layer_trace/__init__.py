"""The trace of one poster through a network: every layer's output, and how each number of it was computed."""
