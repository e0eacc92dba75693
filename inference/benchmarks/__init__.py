"""Scores and speeds beside peers: python -m inference.benchmarks NAME."""
