"""Data sets, section II: bit strings with binary targets, clusters of them, and targets whose noise is known."""
