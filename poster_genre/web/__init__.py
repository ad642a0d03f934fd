"""The classifier behind HTTP, and the pages in front of it. ``poster-genre serve`` starts it."""
