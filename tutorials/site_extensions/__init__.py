"""Sphinx extensions of the site, one idea a file; ``conf.py`` lists them."""
