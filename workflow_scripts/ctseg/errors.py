"""The one exception that is meant for people."""


class InputError(Exception):
    """Something that the user gave cannot be used.

    The message is one sentence or two: which file, what is wrong with it, what to do. It is shown without a traceback,
    so it must stand on its own, and it never holds a patient's name, identifier or date.
    """
