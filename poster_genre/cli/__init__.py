"""The command line. ``main.py`` parses and reports errors; every command has a file of its own.

A command's file holds ``SUMMARY``, ``DETAILS`` and ``EXAMPLE`` for its help, ``add_arguments(parser)`` and
``run(arguments)``, which returns the exit code. ``run`` imports what is slow to load, so that ``--help`` is
quick. No commands: ``arguments`` (options that commands share), ``picture_files`` (pictures named on the
command line) and ``streams`` (standard output and standard error).
"""
