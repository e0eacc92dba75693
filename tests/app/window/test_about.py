"""What the About box copies for a report of a fault."""

from app.window.about import report


def test_a_report_tells_versions_the_device_and_the_end_of_the_log(tmp_path, monkeypatch):
    monkeypatch.setenv("FLUOROTRACE_LOG", str(tmp_path))
    (tmp_path / "fluorotrace.log").write_text("".join(f"line {n}\n" for n in range(100)))
    told = report("cuda")
    for part in ("Fluorotrace ", "Python 3.", "Qt 6.", "Device: cuda", "numpy ", "line 99"):
        assert part in told
    assert "line 10\n" not in told
