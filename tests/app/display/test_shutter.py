"""The shutter of pictures that are not square."""

from __future__ import annotations

import numpy as np
import pytest

from app.display.shutter import shutter_opening
from app.runs.run import Shutter

SHUTTERS = {
    "rectangle": (Shutter(rectangle=(10, 2, 50, 17)), (15, 45), (18, 45)),
    "circle": (Shutter(circle=(45.0, 8.0, 6.0)), (8, 50), (8, 38)),
    "polygon": (Shutter(polygon=((30, 2), (58, 2), (58, 18))), (4, 54), (16, 40)),
}


@pytest.mark.parametrize(("shutter", "open_at", "covered_at"), SHUTTERS.values(), ids=SHUTTERS)
def test_it_covers_rows_and_columns_as_it_says(shutter, open_at, covered_at):
    opening = shutter_opening(shutter, rows=20, columns=60)
    assert opening.shape == (20, 60) and set(np.unique(opening)) == {0, 255}
    assert opening[open_at] == 255 and opening[covered_at] == 0
