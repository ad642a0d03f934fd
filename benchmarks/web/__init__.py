"""The web app under load, on loopback: ``python -m benchmarks.web --help``."""
