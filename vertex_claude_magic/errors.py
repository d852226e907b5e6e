"""Every error that this package raises, each with its cure.

    ClaudeError
    ├── OptionError                an option, a setting or a prompt that cannot be sent
    │   ├── ModelRuleError         the model table says that the model refuses it
    │   ├── MissingExtra           an optional library is not installed
    │   ├── CostLimitExceeded      it might cost more than the user's limit
    │   └── SecretFound            the prompt seems to carry a key or a token
    ├── CredentialsError           no usable Google login
    │   ├── CredentialsNotFound
    │   ├── LoginExpired
    │   ├── ProjectNotFound
    │   └── UntrustedHost          a Google token would go to a host that is not Google's
    ├── NetworkError               no answer from the host
    │   ├── DeadlineExceeded
    │   └── TLSError
    ├── APIError                   the service refused
    │   ├── BadRequest
    │   │   └── PromptTooLong
    │   ├── AuthenticationFailed
    │   ├── PermissionDenied
    │   │   ├── APIDisabled
    │   │   └── DataSharingRequired
    │   ├── ModelNotEnabled
    │   ├── ModelNotFound          wrong id, wrong location, or retired
    │   │   └── CountNotServed     the location counts no tokens; says nothing about the model
    │   ├── RequestTooLarge
    │   ├── RateLimited
    │   │   └── QuotaExceeded      waiting does not help
    │   ├── ServerError
    │   │   └── Overloaded
    │   ├── OperationFailed        a long-running operation ended with an error
    │   └── ConfigChanged          somebody else changed the configuration meanwhile
    ├── StreamError                a reply began and did not end well
    │   ├── StreamInterrupted
    │   └── ProtocolError
    ├── JournalError               the journal or a recording cannot be read or written
    │   ├── RecordingInvalid       a file is not a recording
    │   └── ReplayMiss             nothing is recorded for this request
    ├── PickleRefused              a live object would be copied or sent to another process
    ├── ThreadUnavailable          no thread can start here, so nothing can be sent
    └── AnswerInvalid              a whole answer that is not the data that was asked for
        ├── AnswerRefused
        └── AnswerTruncated
    ClaudeInterrupt                a KeyboardInterrupt that keeps the partial reply
    SettingRefused                 `%config` gives a setting a value that it cannot take

The text of an error is one line: what happened, then what to do next. Whatever else is known
is in ``details``; a reply that had begun is in ``reply``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vertex_claude_magic.secret_forms import without_secrets
from vertex_claude_magic.spelling import in_python
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "APIDisabled",
    "APIError",
    "AnswerInvalid",
    "AnswerRefused",
    "AnswerTruncated",
    "AuthenticationFailed",
    "BadRequest",
    "ClaudeError",
    "ClaudeInterrupt",
    "ConfigChanged",
    "CostLimitExceeded",
    "CountNotServed",
    "CredentialsError",
    "CredentialsNotFound",
    "DataSharingRequired",
    "DeadlineExceeded",
    "JournalError",
    "LoginExpired",
    "MissingExtra",
    "ModelNotEnabled",
    "ModelNotFound",
    "ModelRuleError",
    "NetworkError",
    "OperationFailed",
    "OptionError",
    "Overloaded",
    "PermissionDenied",
    "PickleRefused",
    "ProjectNotFound",
    "PromptTooLong",
    "ProtocolError",
    "QuotaExceeded",
    "RateLimited",
    "RecordingInvalid",
    "ReplayMiss",
    "RequestTooLarge",
    "SecretFound",
    "ServerError",
    "SettingRefused",
    "StreamError",
    "StreamInterrupted",
    "TLSError",
    "ThreadUnavailable",
    "UntrustedHost",
]

# The longest that each half of an error may be, in characters.
_PART_LIMIT = 400


class ClaudeError(Exception):
    """The root of all errors of this package.

    Args:
        message: What happened, in one line.
        cure: What the user can do about it, in one line.
        details: Anything else that is known (status, reason, the server's body); never a secret.
        reply: What had arrived of the answer, a `Reply`, or None. Its type lies above this module, which is why it
            is not named here.

    >>> error = ClaudeError("The kettle is cold.", cure="Switch it on.")
    >>> str(error)
    'The kettle is cold. Switch it on.'
    """

    def __init__(
        self,
        message: str,
        *,
        cure: str,
        details: Mapping[str, Any] | None = None,
        reply: Any | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure
        self.details: dict[str, Any] = {
            name: without_secrets(value) if isinstance(value, str) else value
            for name, value in (details or {}).items()
        }
        self.reply = reply
        # What `spell_for_python` has replaced.
        self._in_cell: tuple[str, str] | None = None

    def __str__(self) -> str:
        return f"{quote(self.message, _PART_LIMIT)} {quote(self.cure, _PART_LIMIT)}"

    def spell_for_python(self) -> None:
        """Name options as Python code does (`max_tokens=`), for an error that Python code gets.

        >>> from vertex_claude_magic.spelling import option, spelled
        >>> error = ClaudeError("It was cut off.", cure=spelled("Raise {}.", option("max_tokens")))
        >>> error.cure
        'Raise --max-tokens.'
        >>> error.spell_for_python()
        >>> str(error)
        'It was cut off. Raise max_tokens=.'
        """
        self._in_cell = self.message, self.cure
        self.message, self.cure = in_python(self.message), in_python(self.cure)

    def spell_for_cell(self) -> None:
        """Name options as a line does, after all: a magic has called the Python code that the error was for."""
        self.message, self.cure = self._in_cell or (self.message, self.cure)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.message, self.cure, self.details, self.reply)

    @property
    def status(self) -> int | None:
        """The HTTP status that the error came with, or None."""
        return self.details.get("status")

    @property
    def request_id(self) -> str | None:
        """The id that the service gave the request, for support cases, or None."""
        return self.details.get("request_id")

    def _render_traceback_(self) -> list[str]:
        # IPython shows these lines in place of a traceback; in every xmode, so no local variable is printed.
        return [f"{type(self).__name__}: {self}"]


def _restore(
    kind: type[ClaudeError], message: str, cure: str, details: dict[str, Any], reply: Any | None
) -> ClaudeError:
    return kind(message, cure=cure, details=details, reply=reply)


class OptionError(ClaudeError, ValueError):
    """An option, a setting or a prompt cannot be sent as it is."""


class ModelRuleError(OptionError):
    """The model table says that the chosen model refuses this request."""


class MissingExtra(OptionError, ImportError):
    """A library that this feature needs is not installed."""


class CostLimitExceeded(OptionError):
    """The worst case of a question is above a limit that the user set, or is not known; nothing was sent."""


class SecretFound(OptionError):
    """The prompt seems to carry a private key, an access token or another secret."""


class CredentialsError(ClaudeError):
    """Google credentials are missing or unusable."""


class CredentialsNotFound(CredentialsError):
    """No Google credentials were found on this machine."""


class LoginExpired(CredentialsError):
    """The Google login was found, and Google no longer accepts it."""


class ProjectNotFound(CredentialsError):
    """No Google Cloud project is named anywhere."""


class UntrustedHost(CredentialsError):
    """A Google token would have gone to a host that is neither Google's nor trusted by the user."""


class NetworkError(ClaudeError):
    """The host could not be reached, or the connection broke before a reply began."""


class DeadlineExceeded(NetworkError, TimeoutError):
    """The time that the user allows for an answer is over."""


class TLSError(NetworkError):
    """The host's certificate could not be verified."""


class APIError(ClaudeError):
    """The service answered with an error."""


class BadRequest(APIError):
    """400: the request is not acceptable as it is."""


class PromptTooLong(BadRequest):
    """The prompt does not fit into the model's context window."""


class AuthenticationFailed(APIError):
    """401: the token was refused, also after a refresh."""


class PermissionDenied(APIError):
    """403: the account may not do this in this project."""


class APIDisabled(PermissionDenied):
    """403: the Vertex AI API is not enabled in the project that pays."""


class DataSharingRequired(PermissionDenied):
    """403: the model asks for a data-sharing consent that only an administrator can give."""


class ModelNotEnabled(APIError):
    """The model's terms have not been accepted for this project."""


class ModelNotFound(APIError):
    """The id is wrong, the location does not serve the model, or the model is retired."""


class CountNotServed(ModelNotFound):
    """The location counts no tokens, which says nothing about the model."""


class RequestTooLarge(APIError):
    """413: the request is larger than the service takes."""


class RateLimited(APIError):
    """429: too much at once; waiting helps."""


class QuotaExceeded(RateLimited):
    """429: a quota is used up or is zero; waiting rarely helps."""


class ServerError(APIError):
    """5xx: the service failed."""


class Overloaded(ServerError):
    """529 or `overloaded_error`: the service has no capacity at the moment."""


class OperationFailed(APIError):
    """A long-running operation of Google's ended with an error."""


class ConfigChanged(APIError):
    """A configuration is not as it was set, because somebody else changed it at the same time."""


class StreamError(ClaudeError):
    """A reply began and did not end well."""


class StreamInterrupted(StreamError):
    """The connection ended before the reply was complete."""


class ProtocolError(StreamError):
    """What arrived is not a reply of the Messages API."""


class JournalError(ClaudeError):
    """The journal or a recording cannot be read or written; an answer is never lost over it."""


class RecordingInvalid(JournalError):
    """A file is not a recording, or was changed so that it no longer is one."""


class ReplayMiss(JournalError):
    """Nothing is recorded for this request, and nothing may be sent."""


class PickleRefused(ClaudeError, TypeError):
    """A live object, or one with a secret, would be copied or sent to another process."""


class ThreadUnavailable(ClaudeError):
    """No thread can start here (Pyodide, or a limit of the system), so nothing can be sent."""


class AnswerInvalid(ClaudeError):
    """The answer is complete and is not the data that was asked for; `reply` is the answer as it came."""


class AnswerRefused(AnswerInvalid):
    """Claude declined to answer, so there is no data."""


class AnswerTruncated(AnswerInvalid):
    """The answer was cut off at its limit of tokens, so the data is incomplete."""


class ClaudeInterrupt(KeyboardInterrupt):
    """The user stopped the request; `reply` is what had arrived, or None.

    `table` is the table so far where a run over a table was stopped, else None.

    >>> str(ClaudeInterrupt())
    'Stopped before an answer arrived.'
    """

    def __init__(self, reply: Any | None = None, *, table: Any | None = None, done: str = "") -> None:
        self.reply = reply
        self.table = table
        self.done = done
        if done:
            super().__init__(done)
            return
        # Text and thinking may have begun without a letter.
        arrived = reply is not None and bool(
            reply.text
            or reply.thinking
            or reply.tool_calls
            or any(block.get("type") == "tool_use" for block in reply.blocks)
        )
        super().__init__(
            # The page marks where the answer stops, so this does not say it again.
            "The answer up to here is saved." if arrived else "Stopped before an answer arrived."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore_interrupt, (self.reply, self.table, self.done)

    def _render_traceback_(self) -> list[str]:
        return [f"KeyboardInterrupt: {self}"]


def _restore_interrupt(reply: Any | None, table: Any | None, done: str) -> ClaudeInterrupt:
    return ClaudeInterrupt(reply, table=table, done=done)


# Jupyter messages carry the bare class name, and front ends and runners know an interrupt by it.
ClaudeInterrupt.__name__ = "KeyboardInterrupt"


class SettingRefused(BaseException):
    """`%config` gives a setting a value that it cannot take; the former value holds.

    Not an `Exception`: `%config` writes those to the log and lets the cell go on (`ConfigMagics.config`, IPython 7.34
    to 9.18), so that a notebook would run to its end without the limit that it sets.

    Args:
        message: What is wrong, in one line.
        cure: What to give instead, in one line.

    >>> str(SettingRefused("max_cost is '1'.", "Give a number of USD."))
    "max_cost is '1'. Give a number of USD."
    """

    def __init__(self, message: str, cure: str) -> None:
        super().__init__(message, cure)
        self.message = message
        self.cure = cure

    def __str__(self) -> str:
        return f"{quote(self.message, _PART_LIMIT)} {quote(self.cure, _PART_LIMIT)}"

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]
