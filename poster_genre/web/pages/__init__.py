"""The HTML pages: routes, templates, and the files below ``static``."""
