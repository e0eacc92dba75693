import sys

from PySide6.QtCore import QObject, Signal


class Sender(QObject):
    switched = Signal(bool)


def test_bool_signals_keep_reference_counts(qtbot):
    """PySide6 6.12.0 lost one an emission, and Python 3.11 aborted after some hundreds."""
    sender = Sender()
    sender.switched.connect(lambda on: None)
    before = sys.getrefcount(True)
    for _ in range(200):
        sender.switched.emit(True)
    assert abs(sys.getrefcount(True) - before) < 50
