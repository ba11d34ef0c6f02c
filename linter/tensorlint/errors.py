"""Errors that end a run: one type per exit code, one plain sentence, and what to do next."""

from __future__ import annotations


class TensorlintError(Exception):
    """Base of everything tensorlint raises on purpose.

    `hint` is the next command or the thing to change; it may be empty.
    """

    exit_code = 4

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(TensorlintError):
    """The command line, the configuration or a rule file is wrong."""

    exit_code = 2


class RuleFileError(UsageError):
    """A rule, scheme, dialect, family or configuration file cannot be loaded; the message carries place and caret.

    `problem` and `advice` are its first and last sentence, without the place.
    """

    def __init__(self, message: str, problem: str = "", advice: str = "") -> None:
        super().__init__(message)
        self.problem = problem or message
        self.advice = advice


class RenamedWarning(UserWarning):
    """Something is called by a name that it had earlier; it is understood, and its present name is said."""


class NoCheckpointError(TensorlintError):
    """There is nothing to check at the target."""

    exit_code = 3


class UnfinishedError(TensorlintError):
    """The run could not finish: a file vanished, shrank or could not be read."""

    exit_code = 4


class AccessError(UnfinishedError):
    """The Hub does not show it: no such model or revision, private, gated, or a token that is not accepted."""

    exit_code = 2
