"""Several tips of one run followed at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from inference.frames import ShouldStop
from inference.tracking.job import TrackingJob
from inference.tracking.requests import TrackedPoint, TrackRequest

OnPoints = Callable[[list[TrackedPoint]], None]
"""Receives points; a frame told again replaces what was said of it before."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackCall:
    """A request, and whom to ask and tell while it is worked on.

    Attributes
    ----------
    should_stop : callable
        Says whether the request is no longer wanted.
    on_points : callable
        Receives the points of each batch.
    on_end : callable
        Called when all is told, or when the work has stopped.
    on_failure : callable, optional
        Receives what went wrong, in the place of ``on_end``; the other requests go on. Without it
        the error is raised, which ends them all.
    """

    request: TrackRequest
    should_stop: ShouldStop
    on_points: OnPoints
    on_end: Callable[[], None] = lambda: None
    on_failure: Callable[[Exception], None] | None = None

    def fail(self, error: Exception) -> None:
        """Tell of an error, or raise it where nobody wants to know."""
        if self.on_failure is None:
            raise error
        self.on_failure(error)


TakeCall = Callable[[], TrackCall | None]
"""Gives the next request that waits, None where none does; asked again and again."""


@dataclass(frozen=True, slots=True, eq=False)
class _Turn:
    call: TrackCall
    job: TrackingJob
    points: Iterator[list[TrackedPoint]]


def take_turns(take: TakeCall, begin: Callable[[TrackRequest], TrackingJob], threads: int) -> None:
    """Work on all requests by turns, a batch of frames each, until none is left.

    The threads share the requests among them; one that is alone has them all. The latest to come
    has its first turn at once. Whoever is told is called in the calling thread.
    """
    waiting: deque[_Turn] = deque()
    steps: dict[Future[list[TrackedPoint] | None], _Turn] = {}
    with ThreadPoolExecutor(threads, thread_name_prefix="tips") as executor:
        while True:
            while (call := take()) is not None:
                try:
                    job = begin(call.request)
                except ValueError as problem:
                    call.fail(problem)
                    continue
                waiting.appendleft(_Turn(call, job, job.run(call.should_stop)))
            if not waiting and not steps:
                return
            each = max(1, threads // (len(waiting) + len(steps)))
            while waiting and len(steps) < threads:
                turn = waiting.popleft()
                turn.job.threads = each
                steps[executor.submit(next, turn.points, None)] = turn
            for step in wait(steps, return_when=FIRST_COMPLETED).done:
                turn = steps.pop(step)
                if (error := step.exception()) is not None:
                    # What is no Exception, such as KeyboardInterrupt, is nobody's to handle.
                    if not isinstance(error, Exception):
                        raise error
                    turn.call.fail(error)
                elif (points := step.result()) is None:
                    turn.call.on_end()
                else:
                    turn.call.on_points(points)
                    waiting.append(turn)
