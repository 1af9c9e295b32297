"""Room: files of a folder that is far away (a share mounted over a slow link), several at a time.

In: what is wanted. Out: the same files as one by one, in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from migrate.sources import Found, Token, Wanted

Open = Callable[[Wanted | None], Found]
Coming = deque[tuple[Token, Future[Found]]]


def several(
    open_one: Open, wanted: Iterator[tuple[Token, Wanted | None]], at_once: int
) -> Iterator[tuple[Token, Found]]:
    """Files that are opened while those before them are read."""
    coming: Coming[Token] = deque()
    with ThreadPoolExecutor(at_once) as threads:
        try:
            for token, want in wanted:
                coming.append((token, threads.submit(open_one, want)))
                if len(coming) > at_once:
                    yield _next(coming)
            while coming:
                yield _next(coming)
        finally:
            while coming:  # nobody will ask for them
                if file := _next(coming)[1].file:
                    file.close()


def _next(coming: Coming[Token]) -> tuple[Token, Found]:
    token, future = coming.popleft()
    return token, future.result()
