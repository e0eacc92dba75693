"""Several tips by turns, with jobs that need no networks."""

from collections import deque

import pytest

from inference.tracking.side_by_side import TrackCall, take_turns


class Job:
    """Gives each batch of its request in turn; an error among them is raised."""

    threads = 1

    def __init__(self, batches):
        self._batches = batches

    def run(self, should_stop):
        for batch in self._batches:
            if isinstance(batch, Exception):
                raise batch
            yield batch


def begin(request):
    if request is None:
        raise ValueError("no anchor")
    return Job(request)


def calls(told, *requests, listening=True):
    """Return what is taken, one call a request, which tells by its number."""
    waiting = deque()
    for number, request in enumerate(requests):
        waiting.append(
            TrackCall(
                request,
                lambda: False,
                lambda points, number=number: told.append((number, points)),
                lambda number=number: told.append((number, "end")),
                (lambda error, number=number: told.append((number, str(error))))
                if listening
                else None,
            )
        )
    return lambda: waiting.popleft() if waiting else None


def of(told, number):
    return [what for who, what in told if who == number]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_tip_that_fails_ends_alone(threads):
    told = []
    take = calls(told, [[1], ValueError("lost")], [[3], [4], [5]], None)
    take_turns(take, begin, threads)
    assert of(told, 0) == [[1], "lost"]
    assert of(told, 1) == [[3], [4], [5], "end"]
    assert of(told, 2) == ["no anchor"]


def test_an_error_that_nobody_wants_to_know_is_raised():
    with pytest.raises(ValueError, match="lost"):
        take_turns(calls([], [ValueError("lost")], listening=False), begin, 1)
    with pytest.raises(ValueError, match="no anchor"):
        take_turns(calls([], None, listening=False), begin, 1)
