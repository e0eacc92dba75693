"""What is seen: one QWidget a file over plain arrays and small dataclasses."""
