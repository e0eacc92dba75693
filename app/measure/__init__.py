"""Measures: how long, how wide, how bright; and what a millimetre is on a run."""
