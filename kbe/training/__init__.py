"""Ensembles in training, section II: many independent networks as one computation, by two paths that agree."""
