"""A film's genres from its poster."""
