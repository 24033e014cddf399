"""The one exception that a person is meant to read."""


class UserError(ValueError):
    """Bad input or a bad environment. The message is one line that says what to do.

    The command line prints it without a traceback and exits with code 2.
    """
