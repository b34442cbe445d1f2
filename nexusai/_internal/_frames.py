"""The frames that an error has left: where they were stays to be seen, what they held does not."""

from __future__ import annotations

from traceback import clear_frames
from typing import List, Optional

_LIBRARIES = frozenset({"anyio", "h11", "httpcore", "httpcore2", "httpx", "httpx2", "pyreqwest", "trio"})


def forget_locals(error: BaseException) -> None:
    """Empty the frames that an error has left, and those of its causes; where they were stays to be seen.

    Their variables hold the request as it was sent, with the key, and tracebacks with locals show them.
    """
    left: Optional[BaseException] = error
    seen: List[BaseException] = []
    while left is not None and left not in seen:  # libraries have made circles of them
        seen.append(left)
        clear_frames(left.__traceback__)
        left = _beneath(left)


def _beneath(error: BaseException) -> Optional[BaseException]:
    """What a library has made `error` of; never an error that the caller was busy with when it called us."""
    context = error.__context__
    if error.__cause__ is not None or context is None:
        return error.__cause__
    return context if type(context).__module__.partition(".")[0] in _LIBRARIES else None
