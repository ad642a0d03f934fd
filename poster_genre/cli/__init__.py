"""The command line: ``main.py`` parses and reports errors; every other command has a file of its own.

A command's file holds ``SUMMARY``, ``DETAILS`` and ``EXAMPLE`` for its help, ``add_arguments(parser)`` and
``run(arguments)``, which returns the exit code. ``run`` imports what is slow to load, so that ``--help`` is
quick.
"""
