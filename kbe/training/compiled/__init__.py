"""The fast path: full-batch gradient descent on the networks of Eq. (9)-(11), compiled, members as vector lanes."""
