"""Ways in which a call fails, and every way to print the error: where a secret could leak."""

from __future__ import annotations

import traceback

from vertex_claude_magic.emulator import Fault

BEGUN = (
    b'data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "half"}}\n\n'
)
BROKEN = b'data: {"type": "error", "error": {"type": "api_error", "message": "no"}}\n\n'
FAULTS = {
    "refused": Fault(status=403),
    "unauthenticated": Fault(status=401),
    "redirected": Fault(location="https://login.example.com/"),
    "dropped": Fault(drop=True),
    "silent": Fault(delay=5),
    "cut": Fault(
        status=200, body=BEGUN * 20, content_type="text/event-stream", cut_after=400, ending="reset"
    ),
    "an error event": Fault(status=200, body=BEGUN + BROKEN, content_type="text/event-stream"),
    "no event": Fault(status=200, body=BEGUN + b"data: x\n\n", content_type="text/event-stream"),
    "a web page": Fault(status=200, body=b"<html>Log in</html>", content_type="text/html"),
    "no HTTP": Fault(raw=b"SSH-2.0-OpenSSH\r\n"),
}


def everything_about(error: BaseException) -> str:
    """Every way to print an error: plain, with locals, with its context, as a value."""
    text = [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    text += shown.format()
    return "".join(text)


def in_every_xmode(error: BaseException) -> str:
    """What IPython's own formatters would print, if they were asked."""
    from IPython.core import ultratb

    text = ""
    for mode in ("Plain", "Context", "Verbose"):
        formatter = ultratb.FormattedTB(mode=mode)
        text += formatter.text(type(error), error, error.__traceback__)
    return text
