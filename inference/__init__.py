"""What is computed: networks, runtimes, denoising, tracking, simulation, training and scores."""

import os

# ONNX Runtime looks up a host of its maker, and writes an id of the device into the user's cache,
# unless this is set before its library is loaded. Nobody outside this package imports it, so that
# every process which does has come by here.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
