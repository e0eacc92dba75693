"""``fluorotrace picture`` as a command; its greys are tested with the display."""

import cv2
import numpy as np
import pytest

from app.cli import main as cli
from inference.denoising import denoiser
from inference.denoising.requests import DenoisedFrame


@pytest.fixture
def folder(tmp_path):
    """Three frames, each brighter than the one before."""
    path = tmp_path / "run"
    path.mkdir()
    for number in range(3):
        cv2.imwrite(str(path / f"{number}.png"), np.full((40, 48), 60 * number, np.uint8))
    return path


def test_the_frame_that_is_asked_for_is_written_in_its_own_size(folder, tmp_path):
    output = tmp_path / "a.png"
    for frame in range(3):
        command = ["picture", str(folder), "--frame", str(frame), "--window", "127.5,255"]
        assert cli.main([*command, "--output", str(output)]) == 0
        written = cv2.imread(str(output), cv2.IMREAD_UNCHANGED)
        assert (written.shape, written.dtype) == ((40, 48), np.uint8)
        np.testing.assert_allclose(written, 60 * frame, atol=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "run"]


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        (["--frame", "3", "--output", "{folder}/a.png"], "the last is 2"),
        (["--frame", "0", "--output", "{run}/0.png"], "inside the folder of the run"),
        (["--frame", "0", "--output", "{folder}/no/a.png"], "no folder"),
    ],
)
def test_what_cannot_be_written_is_a_sentence(folder, tmp_path, capsys, rest, told):
    before = (folder / "0.png").read_bytes()
    filled = [text.format(run=folder, folder=tmp_path) for text in rest]
    assert cli.main(["picture", str(folder), *filled]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert (folder / "0.png").read_bytes() == before


@pytest.mark.parametrize("window", ["5", "5,0", "nan,5", "a,b"])
def test_a_window_that_is_none_is_wrong_usage(folder, tmp_path, window):
    command = ["picture", str(folder), "--frame", "0", "--window", window]
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, "--output", str(tmp_path / "a.png")])
    assert ended.value.code == 2


def test_it_says_that_there_was_nothing_to_remove(folder, tmp_path, capsys, monkeypatch):
    class Engine:
        device_name = "cpu"

        def __init__(self, noise_removed):
            self.noise_removed = noise_removed

        def denoise(self, frames, request, should_stop, on_frame):
            for frame in request.frames:
                pixels = frames.read(frame).astype(np.float32)
                on_frame(DenoisedFrame(frame, pixels, self.noise_removed))

    command = ["picture", str(folder), "--frame", "1", "--denoise"]
    for removed in (True, False):
        monkeypatch.setattr(denoiser, "load_denoiser", lambda *_, r=removed, **__: Engine(r))
        assert cli.main([*command, "--output", str(tmp_path / "a.png")]) == 0
        assert ("Nothing to remove" in capsys.readouterr().err) is not removed
