"""The training response, section I, Eq. (1)-(5): measured on any module, over distance and through training."""
