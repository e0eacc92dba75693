"""The one door to a frame: whatever its reader meets becomes one plain sentence."""

from __future__ import annotations

import logging
from gettext import gettext as tr

import numpy as np
from numpy.typing import NDArray

from app.runs.files import log_unforeseen
from app.runs.run import FrameSource, RunError

logger = logging.getLogger(__name__)


def read_frame(source: FrameSource, index: int) -> NDArray[np.generic]:
    """Read a frame; raises nothing but RunError, whatever happens in its reader."""
    try:
        return source.read(index)
    except RunError:
        logger.info("frame %d not decoded", index)
        raise
    except MemoryError as error:
        raise RunError(tr("The memory is full; lower the frame memory in the settings.")) from error
    except Exception as error:
        log_unforeseen(logger, f"decoding frame {index}", error)
        raise RunError(
            tr("Frame {number} is damaged; copy or export the run again.").format(number=index + 1)
        ) from error


class GuardedFrames:
    """Frames of one size and number, and errors of one kind (a `FrameSource`)."""

    def __init__(self, source: FrameSource, frame_count: int, shape: tuple[int, int]) -> None:
        self._source = source
        self._frame_count = frame_count
        self._shape = shape

    def read(self, index: int) -> NDArray[np.generic]:
        """Return frame ``index``; RunError where it is damaged or of another size."""
        number = index + 1
        if not 0 <= index < self._frame_count:
            raise RunError(tr("There is no frame {number}.").format(number=number))
        frame = read_frame(self._source, index)
        if frame.shape != self._shape:
            raise RunError(
                tr(
                    "Frame {number} is {columns} x {rows} pixels, not {wanted_columns} x "
                    "{wanted_rows} as the others."
                ).format(
                    number=number,
                    columns=frame.shape[-1],
                    rows=frame.shape[0],
                    wanted_columns=self._shape[1],
                    wanted_rows=self._shape[0],
                )
            )
        return frame

    def close(self) -> None:
        """Release the source."""
        self._source.close()
