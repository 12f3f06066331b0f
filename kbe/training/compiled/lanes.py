"""Training of small networks side by side, compiled: epochs of full-batch gradient descent.

Every array is of shape (rows, 16): a row holds one number of sixteen members, so that one
vector instruction or two serve them all. No sum runs across members: a member's numbers do not
depend on who trains beside it, on the threads, or on the processor.

`weights` has the order of `module.parameters()`; how the other arrays and the tuple `network` are laid
out is said in `kbe.training.compiled.layout`.
"""

from __future__ import annotations

import numpy as np

from kbe.training.compiled.backward import backward
from kbe.training.compiled.forward import propagate
from kbe.training.compiled.functions import magnitude
from kbe.training.compiled.loss_derivatives import loss_slopes
from kbe.training.compiled.machine_code import compiled
from kbe.training.compiled.simd import WIDTH, borrowed, lane, load, store, where_equal, where_greater

threadable = compiled(nogil=True)


@compiled
def _step(weights, gradient, learning_rate):
    """Gradient descent, w <- w - eta dL/dw."""
    for parameter in range(weights.shape[0]):
        store(weights, parameter, load(weights, parameter) - learning_rate * load(gradient, parameter))


@compiled
def _note_onsets(outputs, rows, before, share, jump, epoch, onset):
    """The first epoch at which an output at a data point moves by more than the member's jump or is not finite."""
    worst = 0.0 * load(share, 0)
    for i in range(outputs.shape[0]):
        moved = magnitude(load(outputs, i) - load(before, i))
        moved = where_equal(moved, moved, moved, np.inf)
        # an input's first slot is taken whenever the member has that input
        moved = where_greater(load(share, i % rows), 0.0, moved, 0.0)
        worst = where_greater(moved, worst, moved, worst)
    for i in range(WIDTH):
        if onset[0, i] < 0 and lane(worst, i) > jump[0, i]:
            onset[0, i] = epoch


@threadable
def forward(network, weights, sums, values, hidden, nodes, outputs):
    """All layers and heads before the first epoch."""
    propagate(network, weights, None, sums, values, hidden, nodes, outputs)


@threadable
def advance(network, loss, setting, learning_rate, epoch, epochs, mask, arrays):
    """Full-batch gradient descent on sixteen members; the outputs belong to the weights, before and after.

    `mask` holds the factors by which drop-out multiplies the hidden values while the slopes are taken, or is None.
    """
    network, mask, arrays = borrowed((network, mask, arrays))
    (target, share, weights, turned, gradient, sums, values, hidden, back, nodes, outputs, before, slopes, jump,
     onset) = arrays  # fmt: skip
    rows = network[-1][3].shape[0]
    for e in range(epoch + 1, epoch + epochs + 1):
        for row in range(outputs.shape[0]):  # an assignment of arrays would compile NumPy's messages too, for seconds
            store(before, row, load(outputs, row))
        if mask is not None:
            propagate(network, weights, mask, sums, values, hidden, nodes, outputs)
        loss_slopes(outputs, rows, target, share, loss, setting, slopes)
        backward(network, weights, turned, mask, values, hidden, nodes, outputs, slopes, gradient, back)
        _step(weights, gradient, learning_rate)
        propagate(network, weights, None, sums, values, hidden, nodes, outputs)
        _note_onsets(outputs, rows, before, share, jump, e, onset)
