"""Section IV: other losses, calibration, Bayesian approaches, drop-out, minor modes, and no variance head."""
