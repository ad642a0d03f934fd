"""Errors whose text is written for the person at the keyboard: what is wrong, where, and what to do."""


class PosterGenreError(ValueError):
    """Something could not be done. The command line prints the text and exits with 1."""


class UsageError(PosterGenreError):
    """It was asked for in a way that cannot work. The command line prints the text and exits with 2."""


# Exit codes of the command line.
FAILED, USAGE, INTERRUPTED = 1, 2, 130
