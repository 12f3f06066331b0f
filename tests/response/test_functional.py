"""A module as a function of its weights: what it takes, and the threads that it borrows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, jacrev

from kbe.response.functional import PureNetwork, slices
from kbe.response.operators import kernel_operator
from kbe.response.tangent_kernel import neural_tangent_kernel

SMALL = nn.Linear(4, 2)


def test_outputs_at_the_modules_own_weights_are_its_own():
    x = torch.randn(3, 4, dtype=torch.float64)
    network = PureNetwork(SMALL)
    expected = SMALL(x.float()).detach().numpy()
    np.testing.assert_allclose(network.outputs(network.weights, x), expected, rtol=1e-5, atol=1e-6)  # in float32


def test_tensors_count_as_their_numbers_wherever_they_come_from():
    network, weights = PureNetwork(SMALL), torch.ones(2, 10, requires_grad=True)
    assert not network.stack("w", weights).requires_grad
    assert network.inputs("x", torch.ones(3, 4, requires_grad=True), 2).shape == (2, 3, 4)


def test_threads_are_given_back_even_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="on purpose"), PureNetwork(SMALL).settled():
        assert (torch.get_num_threads(), torch.get_default_dtype()) == (1, torch.float64)
        raise RuntimeError("on purpose")
    with PureNetwork(nn.Linear(100, 100), torch.float32).settled():  # large enough for torch's own choice
        assert (torch.get_num_threads(), torch.get_default_dtype()) == (before, torch.float32)
    assert (torch.get_num_threads(), torch.get_default_dtype()) == (before, torch.float32)


class Kinds(nn.Module):
    """A trained weight, a frozen one, and buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.frozen = nn.Linear(4, 3), nn.Linear(3, 2).requires_grad_(False)
        self.register_buffer("scale", torch.zeros(3))  # its root has no slope
        self.register_buffer("order", torch.tensor([2, 0, 1]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.frozen(self.layer(x)[:, self.order] * (1 + self.scale.sqrt()))


def test_buffers_and_frozen_weights_stand_in_the_vector_and_have_no_slope():
    network = PureNetwork(Kinds())
    assert len(network.weights) == 15 + 8 + 3 + 3 and network.trained.nonzero()[:, 0].tolist() == list(range(15))
    x = torch.randn(1, 5, 4).double()
    slopes = network.jacobian(network.weights[None], x)
    assert slopes.shape == (1, 5, 2, 29) and (slopes[..., 15:] == 0).all() and (slopes[..., :15] != 0).any()
    moved = network.weights.clone()
    moved[-6:] = torch.tensor([4.0, 4.0, 4.0, 0, 1, 2])
    expected = network.module.frozen(network.module.layer(x[0]) * 3)
    torch.testing.assert_close(network.outputs(moved, x[0]), expected)


def test_a_module_may_stay_in_the_mode_in_which_it_is():
    module = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 1))
    x = torch.ones(1, 4).double()
    calm, masked = PureNetwork(module), PureNetwork(module, masked=True)
    assert len({calm.outputs(calm.weights, x).item() for _ in range(9)}) == 1
    assert len({masked.outputs(masked.weights, x).item() for _ in range(9)}) > 1
    still = PureNetwork(module.eval(), masked=True)
    assert len({still.outputs(still.weights, x).item() for _ in range(9)}) == 1


def test_slices_cover_a_range_once():
    assert [list(range(9))[part] for part in slices(9, 4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (lambda x: x, "module is .*: it must be a Module"),
        (nn.ReLU(), "nothing to train"),
        (nn.Linear(2, 1).requires_grad_(False), "nothing to train"),
        (nn.Sequential(nn.Linear(4, 4), nn.Unflatten(1, (2, 2))), "module .* must be"),
        (nn.Sequential(nn.Linear(4, 1), nn.Flatten(0), nn.Unflatten(0, (1, 2))), "module fails on inputs"),
        (nn.Linear(3, 1), "module fails on inputs"),
        (nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)), "module changes 1.running_mean"),
        (nn.BatchNorm1d(4, track_running_stats=False), "module gives another output at a point"),
        (nn.Linear(4, 1, dtype=torch.complex64), "The module Linear holds a tensor that is not of real numbers"),
    ],
)
def test_modules_that_are_no_function_from_inputs_to_heads_are_refused(module, sentence):
    with pytest.raises(ValueError, match=sentence):
        network = PureNetwork(module)
        network.heads(network.inputs("x", np.ones((2, 4))))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: PureNetwork(SMALL, torch.int64), "dtype is torch.int64: it must be a floating-point"),
        (lambda: PureNetwork(SMALL, "float"), "dtype is 'float'"),
        (
            lambda: PureNetwork(SMALL).stack("before", np.ones((2, 3))),
            "before has shape .* 10 as in module",
        ),
        (lambda: PureNetwork(SMALL).stack("before", np.ones(10)), r"before has shape \(10,\)"),
        (lambda: PureNetwork(SMALL).inputs("x", 1.0), r"x has shape \(\): it must be \(n, ...\)"),
        (lambda: PureNetwork(SMALL).inputs("x", np.ones((3, 4)), 2, own=True), r"must be \(2, n, ...\)"),
        (lambda: PureNetwork(SMALL).inputs("x", [np.nan]), "x holds NaN"),
        (lambda: slices(3, 0), "size is 0"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


class Words(nn.Module):
    """Whole numbers up to 400 that it looks up, which a number in bfloat16 cannot tell apart, and a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.layer = nn.Embedding(401, 3), nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(self.table(x).tanh().flatten(1))


@pytest.mark.parametrize("form", [list, np.array, torch.tensor, lambda rows: np.array(rows, np.uint16)])
def test_whole_numbers_stay_whole_for_a_module_that_takes_them(form):
    module, rows = Words().double(), [[0, 399], [400, 1], [399, 1]]
    weights = dict(module.named_parameters())
    slopes = jacrev(lambda held: functional_call(module, held, torch.tensor(rows)))(weights).values()
    flat = torch.cat([one.detach().flatten(2) for one in slopes], 2)
    expected = torch.einsum("iap,jbp->ijab", flat, flat).numpy()
    np.testing.assert_allclose(neural_tangent_kernel(module, form(rows)), expected, rtol=1e-12)
    np.testing.assert_allclose(neural_tangent_kernel(module, form(rows), form(rows[:1])), expected[:, :1], rtol=1e-12)
    by_batches = kernel_operator(module, [torch.tensor(rows[:2]), torch.tensor(rows[2:])])
    np.testing.assert_allclose(
        by_batches @ np.eye(6), expected.transpose(0, 2, 1, 3).reshape(6, 6), rtol=1e-12, atol=1e-14
    )
    in_bfloat16 = neural_tangent_kernel(module, form(rows), dtype=torch.bfloat16, tensor=True)
    np.testing.assert_allclose(in_bfloat16.float(), expected, atol=0.02 * expected.max())
    with pytest.raises(ValueError, match=r"it takes whole numbers, while inputs come as real ones"):
        neural_tangent_kernel(module, np.array(rows, float))


def test_whole_numbers_are_real_ones_for_a_module_that_takes_those():
    module = nn.Linear(2, 2)
    whole, real = (neural_tangent_kernel(module, x) for x in ([[0, 1], [2, 3]], [[0.0, 1.0], [2.0, 3.0]]))
    np.testing.assert_array_equal(whole, real)
