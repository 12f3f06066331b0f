"""The Jacobian and the training response as operators, against the matrices by a loop of backward passes."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from modules import KINDS, batch_normed, convolutional, jacobian_by_loop
from scipy.sparse.linalg import aslinearoperator, eigsh
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kbe.data.encoding import all_inputs
from kbe.response.operators import jacobian_operator, kernel_diagonal, kernel_operator
from kbe.response.tangent_kernel import gram_matrix, neural_tangent_kernel

STRINGS = all_inputs(4)[:7]


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("kind", KINDS)
def test_eq3_products_are_those_of_the_jacobian_for_a_module_of_any_kind(kind):
    module, generator = kind(), np.random.default_rng(0)
    dense = jacobian_by_loop(module, STRINGS)
    jacobian, kernel = (make(module, STRINGS, block=3) for make in (jacobian_operator, kernel_operator))
    assert jacobian.shape == dense.shape and kernel.shape == (14, 14)
    for columns in ((), (1,), (5,)):
        v, u = (generator.normal(size=(size, *columns)) for size in dense.shape[::-1])
        np.testing.assert_allclose(jacobian @ v, dense @ v, atol=1e-13)
        np.testing.assert_allclose(jacobian.T @ u, dense.T @ u, atol=1e-13)
        np.testing.assert_allclose(kernel @ u, dense @ dense.T @ u, atol=1e-12)
    np.testing.assert_allclose(kernel_diagonal(module, STRINGS).ravel(), (dense**2).sum(1), atol=1e-13)


def test_eq3_each_batch_is_one_function_of_its_points_when_asked():
    module, x, generator = batch_normed(), all_inputs(4), np.random.default_rng(0)
    halves = np.concatenate([jacobian_by_loop(module, some, alone=False) for some in (x[:6], x[6:])])
    whole = jacobian_by_loop(module, x, alone=False)
    for inputs, dense in ((x, whole), ([x[:6], x[6:]], halves)):
        jacobian, kernel = (
            make(module, inputs, block=3, whole_batch=True) for make in (jacobian_operator, kernel_operator)
        )
        v, u = (generator.normal(size=(size, 2)) for size in dense.shape[::-1])
        np.testing.assert_allclose(jacobian @ v, dense @ v, atol=1e-13)
        np.testing.assert_allclose(jacobian.T @ u, dense.T @ u, atol=1e-13)
        np.testing.assert_allclose(kernel @ u, dense @ (dense.T @ u), atol=1e-12)


def test_eq4_kernel_operator_is_the_kernel_of_the_module():
    module, x = convolutional(), all_inputs(4)
    theta = gram_matrix(neural_tangent_kernel(module, x))
    np.testing.assert_allclose(kernel_operator(module, x) @ np.eye(32), theta, atol=1e-13)
    np.testing.assert_allclose(kernel_diagonal(module, x).sum(), np.trace(theta))
    cross = jacobian_operator(module, x[:3]) @ jacobian_operator(module, x).T
    np.testing.assert_allclose(cross @ np.eye(32), theta[:6], atol=1e-13)
    np.testing.assert_allclose(cross.T @ np.eye(6), theta[:, :6], atol=1e-13)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 1e-5), (torch.bfloat16, 0.1)])
def test_adjoint_identity_in_every_precision(dtype, tolerance):
    """<J v, u> = <v, J' u>; and tensors give tensors, in float32 at least."""
    jacobian = jacobian_operator(convolutional(), all_inputs(4), block=5, dtype=dtype)
    generator = torch.Generator().manual_seed(0)
    u, v = (torch.randn(size, generator=generator) for size in jacobian.shape)
    pushed, pulled = jacobian @ v, jacobian.T @ u
    assert pushed.dtype is pulled.dtype is torch.promote_types(dtype, torch.float32)
    assert jacobian.dtype == pushed.numpy().dtype
    first, second = (float(a.to(b.dtype) @ b) for a, b in ((u, pushed), (v, pulled)))
    assert abs(first - second) < tolerance * float(pushed.norm() * u.norm())
    np.testing.assert_allclose(jacobian @ v.numpy(), pushed, rtol=1e-6, atol=1e-6)
    both = jacobian @ torch.stack([v, 2 * v], 1)
    np.testing.assert_allclose(both[:, 1], 2 * pushed, rtol=0.02, atol=0.02)


def test_bfloat16_is_near_float64():
    module, x = convolutional(), all_inputs(4)
    v = np.random.default_rng(0).normal(size=32)
    exact, rough = (kernel_operator(module, x, dtype=dtype) @ v for dtype in (torch.float64, torch.bfloat16))
    assert np.linalg.norm(rough - exact) < 0.05 * np.linalg.norm(exact)


def test_scipy_takes_the_operator():
    module, x = convolutional(), all_inputs(4)
    theta = gram_matrix(neural_tangent_kernel(module, x))
    values = eigsh(kernel_operator(module, x), 3, which="LA", return_eigenvectors=False)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(theta)[-3:], rtol=1e-10)
    ridge = kernel_operator(module, x) + 0.5 * aslinearoperator(np.eye(32))
    np.testing.assert_allclose(ridge @ np.ones(32), theta.sum(1) + 0.5)


def loader(x: np.ndarray, *more: np.ndarray, **settings) -> DataLoader:
    return DataLoader(TensorDataset(*map(torch.as_tensor, (x, *more))), **settings)


@pytest.mark.parametrize("batches", [
    lambda x: [x[:3], x[3:]],
    lambda x: (torch.as_tensor(x[:1]), torch.as_tensor(x[1:])),
    lambda x: loader(x, batch_size=4),
    lambda x: loader(x, np.zeros(len(x)), batch_size=4),
    lambda x: [(x[:5].tolist(), np.zeros(5)), (x[5:].astype(int), np.zeros(2))],
    lambda x: x.tolist(),
    lambda x: torch.as_tensor(x),
], ids=["list", "tensors", "loader", "loader of pairs", "pairs", "numbers", "tensor"])  # fmt: skip
def test_batches_are_as_one_array(batches):
    module, v = convolutional(), np.random.default_rng(0).normal(size=14)
    given, whole = (kernel_operator(module, x) for x in (batches(STRINGS), STRINGS))
    np.testing.assert_allclose(given @ v, whole @ v, atol=1e-13)
    np.testing.assert_allclose(kernel_diagonal(module, batches(STRINGS)), kernel_diagonal(module, STRINGS), atol=1e-13)


def test_batches_in_another_order_are_refused():
    shuffled = jacobian_operator(convolutional(), loader(all_inputs(4), batch_size=4, shuffle=True))
    for product in (lambda: shuffled @ np.ones(shuffled.shape[1]), lambda: shuffled.T @ np.ones(32)):
        with pytest.raises(ValueError, match=r"^inputs gives other batches in another pass: .* without shuffling.$"):
            product()


class Changing:
    """Batches of other sizes, fewer or more of them, at the second pass."""

    def __init__(self, *passes: list) -> None:
        self.passes = iter(passes)

    def __iter__(self):
        return iter(next(self.passes))


@pytest.mark.parametrize("second", [[STRINGS[:2], STRINGS[2:]], [STRINGS[:4]], [STRINGS[:4], STRINGS[4:], STRINGS]])
def test_batches_of_other_sizes_are_as_one_array_or_refused(second):
    jacobian = jacobian_operator(convolutional(), Changing([STRINGS[:4], STRINGS[4:]], second))
    if sum(map(len, second)) == len(STRINGS):
        assert (jacobian.T @ np.ones(14)).shape == (40,)
        return
    with pytest.raises(ValueError, match=r"^inputs gives other batches in another pass"):
        jacobian.T @ np.ones(14)


def test_a_product_of_operators_takes_no_more_columns_at_once_than_its_parts():
    """Of few rows but many weights; a whole block of a million columns would not fit into memory."""
    module = nn.Sequential(nn.Linear(4, 60_000), nn.Tanh(), nn.Linear(60_000, 1))
    kernel = kernel_operator(module, STRINGS[:2])
    found = kernel @ np.tile(np.eye(2), 20)
    np.testing.assert_allclose(found[:, :2], gram_matrix(neural_tangent_kernel(module, STRINGS[:2])), rtol=1e-10)


def test_the_weights_are_those_of_the_moment():
    module = nn.Linear(4, 1)
    jacobian = jacobian_operator(nn.Sequential(module, nn.Tanh()), STRINGS)
    before = jacobian @ np.ones(5)
    nn.init.zeros_(module.weight)
    np.testing.assert_array_equal(jacobian @ np.ones(5), before)


def test_module_and_caller_stay_as_they_are():
    module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3).eval(), nn.Dropout(0.5), nn.Linear(3, 2))
    before, state = copy.deepcopy(module.state_dict()), torch.get_rng_state()
    with torch.no_grad():
        product = kernel_operator(module, STRINGS) @ np.ones(14)
    np.testing.assert_array_equal(product, kernel_operator(module, STRINGS) @ np.ones(14))
    assert module.training and torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None and p.dtype == torch.float32 for p in module.parameters())
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


MODULE = convolutional()


@pytest.mark.parametrize("make", [jacobian_operator, kernel_operator, kernel_diagonal])
@pytest.mark.parametrize(("inputs", "sentence"), [
    ([], "inputs has shape"),
    (1.0, "inputs has shape"),
    ([np.nan], "inputs holds NaN"),
    ("x", "inputs is 'x'"),
    ({"x": STRINGS}, "inputs is {'x'"),
    (np.ones((2, 5)), "x is|module fails"),
    ((x for x in [STRINGS]), "inputs is <generator .* iterated over only once"),
    (iter([STRINGS]), "inputs is <list_iterator .* iterated over only once"),
    ([STRINGS, STRINGS[:, :3]], r"batch 2 of inputs has shape \(7, 3\)"),
    ([STRINGS, np.nan * STRINGS], "batch 2 of inputs holds NaN"),
    ([STRINGS, "x"], "batch 2 of inputs is 'x'"),
    (DataLoader([]), "inputs is .*: it must hold at least one batch"),
])  # fmt: skip
def test_bad_inputs_are_refused_in_a_sentence(make, inputs, sentence):
    with pytest.raises(ValueError, match=f"^({sentence})"):
        make(MODULE, inputs)


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda: jacobian_operator(lambda x: x, STRINGS), "module is"),
    (lambda: jacobian_operator(MODULE, STRINGS, block=0), "block is 0"),
    (lambda: jacobian_operator(MODULE, STRINGS, dtype=torch.int64), "dtype is torch.int64"),
    (lambda: kernel_operator(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)), STRINGS), "module .* as batch norm"),
    (lambda: kernel_operator(MODULE, STRINGS) @ torch.ones(3), r"The vector has shape \(3,\): it must have 14 rows"),
    (lambda: kernel_operator(MODULE, STRINGS) @ np.ones(3), "dimension mismatch"),
])  # fmt: skip
def test_what_does_not_fit_is_refused_in_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
