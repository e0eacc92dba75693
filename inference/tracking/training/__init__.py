"""What makes the tracker's networks: data, stages of training, calibration and export."""
