"""Helper package of the executable book on the kernel-balanced equation for deep neural networks."""
