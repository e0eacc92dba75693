"""What the viewer costs in time and memory: python -m app.benchmarks."""
