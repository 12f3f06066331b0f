"""The kernel-balanced equation for deep neural networks, computed: the package that the book is written with."""
