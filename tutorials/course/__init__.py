"""The checks behind the exercises of the course: one module a chapter, and ``exercise``, which they share."""
