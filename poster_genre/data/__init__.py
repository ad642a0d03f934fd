"""Posters and their genres: archives, the table, the cache of decoded images, transforms."""
