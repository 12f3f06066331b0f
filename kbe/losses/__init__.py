"""The losses, per data point (equations 8, 13 and 14), and others proposed for the same network.

Each takes a network's output, shape (..., heads), and the targets, shape (...), and returns one
value a point, shape (...); the trainer reduces them by their mean or sum. They are pure functions
of tensors, for autograd and torch.func. `functools.partial(student_t_nll, degrees=5)` sets a number.
"""

from kbe.losses.others import beta_nll as beta_nll
from kbe.losses.others import clamped_gaussian_nll as clamped_gaussian_nll
from kbe.losses.others import faithful_nll as faithful_nll
from kbe.losses.others import laplace_nll as laplace_nll
from kbe.losses.others import student_t_learned_nll as student_t_learned_nll
from kbe.losses.others import student_t_nll as student_t_nll
from kbe.losses.paper import gaussian_nll as gaussian_nll
from kbe.losses.paper import gaussian_nll_misprinted as gaussian_nll_misprinted
from kbe.losses.paper import squared_error as squared_error
