"""Reading: every kind of X-ray run becomes one immutable Run."""
