"""Sentences go through gettext, and are found in a catalogue of the program's own."""

import gettext
import os
import struct
import subprocess
import sys

import cv2
import numpy as np
import pytest

from app import translation
from app.cli import main as cli


class Marked(gettext.NullTranslations):
    """A language in which every sentence stands in brackets."""

    def gettext(self, message):
        return f"«{message}»"


@pytest.fixture
def marked(monkeypatch, tmp_path):
    monkeypatch.setenv("FLUOROTRACE_CONFIG", str(tmp_path / "settings"))
    monkeypatch.setattr(gettext, "translation", lambda *_, **__: Marked())


@pytest.fixture
def folder(tmp_path):
    """A run of two pictures."""
    path = tmp_path / "run"
    path.mkdir()
    for number in range(2):
        cv2.imwrite(str(path / f"{number}.png"), np.full((40, 48), 90 + number, np.uint8))
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "{run}", "--output", "{folder}/a.json"],
        ["export", "{run}", "--output", "{run}/a.json"],
        ["track", "{run}", "--tip", "5,6", "--frame", "9", "--output", "{folder}/a.json"],
        ["track", "{run}", "--tip", "500,6", "--frame", "0", "--output", "{folder}/a.json"],
        ["denoise", "{run}", "--output", "{folder}/nowhere/a.npy"],
        ["denoise", "{run}", "--output", "{folder}/a.npy", "--weights", "none"],
        ["adapt", "{run}", "--output", "../a"],
        ["prepare", "{folder}/nowhere", "--output", "{folder}/shards"],
    ],
)
def test_what_the_command_line_says_is_translated(marked, folder, tmp_path, capsys, arguments):
    assert cli.main([a.format(run=folder, folder=tmp_path) for a in arguments]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("fluorotrace: «") and line.endswith("»")


def test_the_help_is_translated(marked, capsys):
    for command in ([], *([name] for name in cli.COMMANDS)):
        with pytest.raises(SystemExit):
            cli.main([*command, "--help"])
        assert "«details on standard error»" in " ".join(capsys.readouterr().out.split())


def catalogue(sentences):
    """Return a compiled catalogue (GNU gettext's .mo file)."""
    pairs = sorted([("", "Content-Type: text/plain; charset=UTF-8\n"), *sentences.items()])
    texts = [[text.encode() + b"\0" for text in column] for column in zip(*pairs, strict=True)]
    tables, place = [], 28 + 16 * len(pairs)
    for column in texts:
        for text in column:
            tables.append(struct.pack("<2I", len(text) - 1, place))
            place += len(text)
    head = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    return head + b"".join(tables) + b"".join(text for column in texts for text in column)


def test_a_catalogue_in_the_resources_is_used(tmp_path):
    place = tmp_path / "fr" / "LC_MESSAGES" / "fluorotrace.mo"
    place.parent.mkdir(parents=True)
    place.write_bytes(catalogue({"Stopped.": "Arrêté."}))
    code = (
        "import sys, pathlib; from app import translation;"
        "translation.resource_path = lambda name: pathlib.Path(sys.argv[1]);"
        "translation.use_translations();"
        "from gettext import gettext as tr;"
        "sys.stdout.buffer.write(tr('Stopped.').encode())"
    )
    assert place.stem == translation.DOMAIN
    environment = os.environ | {"LANGUAGE": "fr", "LC_ALL": "fr_FR.UTF-8"}
    command = [sys.executable, "-c", code, str(tmp_path)]
    told = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert told.stdout.decode() == "Arrêté."
