"""What is read off a run, section III.A and B: variances, onsets, the scale of averaging, trajectories, sharpness."""
