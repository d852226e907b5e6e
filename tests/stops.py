"""Stop pressed at every line: the work is done again and again, and each time one line later raises KeyboardInterrupt."""

from __future__ import annotations

import linecache
import sys
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, ModuleType

__all__ = ["stops"]


def stops(work: Callable[[int], object], *where: ModuleType, only: tuple[str, ...] = ()) -> Iterator[str]:
    """Do `work`, which gets the number of the try, until stop is pressed nowhere any more; yield each place.

    Args:
        work: What is stopped; another error than a KeyboardInterrupt fails the test.
        where: The modules in whose lines stop is pressed, in this thread.
        only: The functions of these modules, all if there are none.
    """
    files = {str(module.__file__) for module in where}
    for number in count(1):
        place = _stopped(work, number, files, only)
        if not place:
            return
        yield place


def _stopped(work: Callable[[int], object], number: int, files: set[str], only: tuple[str, ...]) -> str:
    lines, place = 0, ""

    def at_line(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines, place
        # No signal is seen between a line before a block and the block, nor between a block and its end, which counts as
        # its first line too.
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).lstrip()
        if event == "line" and not line.startswith(("with ", "while ", "for ", "try:")):
            lines += 1
            if lines == number:
                sys.settrace(None)
                place = f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}"
                raise KeyboardInterrupt
        return at_line

    def at_call(frame: FrameType, _event: str, _: object) -> Any:
        code = frame.f_code
        # What a finalizer raises reaches nobody.
        wanted = code.co_filename in files and code.co_name != "drop" and (not only or code.co_name in only)
        return at_line if wanted else None

    before = sys.gettrace()
    sys.settrace(at_call)
    try:
        work(number)
    except KeyboardInterrupt:
        assert place
    finally:
        sys.settrace(before)
    return place
