"""The kernel by layers is that of the Jacobian, wherever a trial lets it be taken."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from modules import jacobian_by_loop
from torch import nn
from torch.nn import functional as F

from kbe.networks import VarianceNetwork
from kbe.response import layerwise
from kbe.response.functional import PureNetwork
from kbe.response.layers import OtherUseError
from kbe.response.layerwise import Features, tangent_features
from kbe.response.tangent_kernel import gram_matrix, neural_tangent_kernel

BITS = 12
X = np.random.default_rng(0).normal(size=(7, BITS))
Y = np.random.default_rng(1).normal(size=(4, BITS))


@pytest.fixture(autouse=True)
def always_tried(monkeypatch):
    monkeypatch.setattr(layerwise, "WORTH", 0)


class Own(nn.Module):
    """A module whose forward is a function of itself and the inputs."""

    def __init__(self, function, **parts) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, nn.Parameter(part) if isinstance(part, torch.Tensor) else part)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self, x)


def reshaped(*shape: int) -> nn.Module:
    return nn.Unflatten(1, shape)


def convolutions(dims: int, channels: int = 1, **settings) -> nn.Module:
    shape = {1: (12,), 2: (4, 3), 3: (3, 2, 2)}[dims]
    shape = (shape[0] // channels, *shape[1:]) if channels > 1 else shape
    kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1]
    layer = kind(channels, 4, **({"kernel_size": 2} | settings))
    return nn.Sequential(reshaped(channels, *shape), layer, nn.Tanh(), nn.Flatten(), nn.LazyLinear(2))


def frozen_weight() -> nn.Module:
    module = mlp()
    module[0].weight.requires_grad_(False)
    module[2].bias.requires_grad_(False)
    return module


def shared() -> nn.Module:
    module = nn.Sequential(nn.Linear(BITS, BITS), nn.Tanh(), nn.Linear(BITS, BITS), nn.Tanh(), nn.Linear(BITS, 2))
    module[2].weight = module[0].weight
    return module


def called_twice() -> nn.Module:
    layer = nn.Linear(BITS, BITS)
    return nn.Sequential(layer, nn.Tanh(), layer, nn.Tanh(), nn.Linear(BITS, 2))


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(BITS, 8), nn.ReLU(inplace=True), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))


def transformer() -> nn.Module:
    block = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.3, batch_first=True)
    return nn.Sequential(reshaped(3, 4), nn.Linear(4, 4), block, nn.Flatten(), nn.Linear(12, 2))


def two_heads() -> nn.Module:
    trunk = nn.Sequential(nn.Linear(BITS, 6), nn.Tanh())
    return Own(
        lambda self, x: torch.cat([self.mean(self.trunk(x)), self.other(self.trunk(x).detach()).exp()], 1),
        trunk=trunk, mean=nn.Linear(6, 1), other=nn.Linear(6, 1),
    )  # fmt: skip


W, B = torch.randn(5, BITS, generator=torch.Generator().manual_seed(0)), torch.ones(5)
# Each module, and whether all, some or none of its trained tensors go by layers.
KINDS = {
    "mlp": (mlp, "all"),
    "one layer": (lambda: nn.Linear(BITS, 2, bias=False), "all"),
    "wide": (lambda: nn.Sequential(nn.Linear(BITS, 40), nn.ELU(inplace=True), nn.Linear(40, 2)), "all"),
    "frozen": (frozen_weight, "all"),
    "paper": (lambda: VarianceNetwork(bits=BITS, layers=2), "all"),
    "paper, circular": (lambda: VarianceNetwork(bits=BITS, layers=2, padding="circular", detach_deviation=True), "all"),
    "conv1d": (lambda: convolutions(1), "all"),
    "conv1d same": (lambda: convolutions(1, kernel_size=4, padding="same", dilation=2), "all"),
    "conv1d circular": (lambda: convolutions(1, kernel_size=3, padding=1, padding_mode="circular"), "all"),
    "conv1d of all": (lambda: convolutions(1, kernel_size=12), "all"),
    "conv2d strided": (lambda: convolutions(2, stride=(2, 1), padding=(1, 0)), "all"),
    "conv2d dilated": (lambda: convolutions(2, kernel_size=(3, 2), dilation=(2, 1), padding=2, bias=False), "all"),
    "conv2d depthwise": (lambda: convolutions(2, 2, groups=2, padding=1), "all"),
    "conv3d grouped": (lambda: convolutions(3, groups=1, padding=(1, 0, 1)), "all"),
    "positions": (
        lambda: nn.Sequential(reshaped(3, 4), nn.Linear(4, 20), nn.Tanh(), nn.Flatten(), nn.Linear(60, 2)),
        "all",
    ),
    "functional": (lambda: Own(lambda s, x: F.linear(x, s.w, s.b).tanh()[:, :2], w=W, b=B), "all"),
    "product from the left": (
        lambda: Own(lambda s, x: (s.w @ x[..., None] + s.b[:, None]).tanh()[:, :2, 0], w=W, b=B),
        "all",
    ),
    "product from the right": (lambda: Own(lambda s, x: (s.b + x @ s.w.T).tanh()[:, :2], w=W, b=B), "all"),
    "positions first": (
        lambda: Own(lambda s, x: s.b(s.a(x.reshape(-1, 3, 4).transpose(0, 1)).tanh().mean(0)),
                    a=nn.Linear(4, 4), b=nn.Linear(4, 2)),
        "some",
    ),
    "layer norm": (lambda: nn.Sequential(nn.Linear(BITS, 6), nn.LayerNorm(6), nn.Linear(6, 2)), "some"),
    "transformer": (transformer, "some"),
    "two heads": (two_heads, "some"),
    "one unused": (lambda: Own(lambda s, x: s.a(x), a=nn.Linear(BITS, 2), b=B), "some"),
    "shared": (shared, "some"),
    "called twice": (called_twice, "some"),
    "used elsewhere": (lambda: Own(lambda s, x: s.a(x) + s.a.weight.square().sum(), a=nn.Linear(BITS, 2)), "some"),
    "weight norm": (
        lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(BITS, 4)), nn.Tanh(), nn.Linear(4, 2)),
        "some",
    ),
    "spectral norm": (
        lambda: nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(BITS, 4)).eval(), nn.Linear(4, 2)),
        "some",
    ),
    "batch norm at rest": (
        lambda: nn.Sequential(nn.Linear(BITS, 4), nn.BatchNorm1d(4).eval(), nn.Tanh(), nn.Linear(4, 2)),
        "some",
    ),
    "doubled rows": (lambda: Own(lambda s, x: (x[:, :6] @ s.w[[0, 0]].T[:6] + s.w.sum()), w=W), "none"),
    "elementwise": (lambda: Own(lambda s, x: (x[:, :5] * s.b)[:, :2], b=B), "none"),
    "recurrent": (lambda: Own(lambda s, x: s.a(x[..., None])[0][:, -1], a=nn.LSTM(1, 2, batch_first=True)), "none"),
    "transposed": (
        lambda: nn.Sequential(reshaped(1, 12), nn.ConvTranspose1d(1, 2, 3), nn.AdaptiveAvgPool1d(1), nn.Flatten()),
        "none",
    ),
}  # fmt: skip


def made(make) -> nn.Module:
    torch.manual_seed(3)
    module = make().double()
    module(torch.as_tensor(X))  # lazy layers
    return module


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_eq3_any_module_has_the_kernel_of_its_jacobian(kind):
    make, by_layers = KINDS[kind]
    module = made(make)
    one, other = jacobian_by_loop(module, X), jacobian_by_loop(module, Y)
    size = np.abs(one @ one.T).max()
    np.testing.assert_allclose(gram_matrix(neural_tangent_kernel(module, X)) / size, one @ one.T / size, atol=1e-13)
    theta = neural_tangent_kernel(module, X, Y, memory=5e3)
    np.testing.assert_allclose(gram_matrix(theta) / size, one @ other.T / size, atol=1e-13)
    network, _, features = forms(module)
    rest = features.rest
    assert by_layers == ("all" if not rest else "none" if rest == network.trainable else "some")


def forms(module: nn.Module) -> tuple[PureNetwork, torch.Tensor, Features]:
    network = PureNetwork(module)
    x = network.inputs("x", X)
    with network.settled():
        return network, x, tangent_features(network, x, 2)


def test_layers_that_do_not_give_the_kernel_of_the_jacobian_are_not_taken(monkeypatch):
    """The trial compares; here one that is off by 1e-9 of itself."""
    right = layerwise.columns_of
    monkeypatch.setattr(layerwise, "columns_of", lambda *arguments: (1 + 1e-9) * right(*arguments))
    module = made(mlp)
    network, _, features = forms(module)
    assert not features.layers and features.rest == network.trainable
    expected = jacobian_by_loop(module, X)
    np.testing.assert_allclose(gram_matrix(neural_tangent_kernel(module, X)), expected @ expected.T, rtol=1e-12)


@pytest.mark.parametrize("forward", [
    lambda s, x: s.b(F.linear(x, s.w) if len(x) <= 5 else 2 * x @ s.w.T - x @ s.w.T),
    lambda s, x: s.b(F.linear(x if len(x) <= 5 else x[:, None], s.w).reshape(-1, 5)),
    lambda s, x: s.b(F.linear(x, s.w)) + (0 * s.c.sum() if len(x) <= 5 else 0),
], ids=["other function", "other shape", "one fewer"])  # fmt: skip
def test_a_module_that_goes_another_way_at_all_inputs_than_in_the_trial_goes_by_the_jacobian(forward):
    """At most five inputs are tried, and there are seven; the Jacobian sees them one by one."""
    module = made(lambda: Own(forward, w=W, b=nn.Linear(5, 2), c=B))
    network, x, features = forms(module)
    assert features.layers
    with pytest.raises(OtherUseError), network.settled():
        features.at(network.weights[None], x, lambda _: None)
    expected = jacobian_by_loop(module, X)
    np.testing.assert_allclose(gram_matrix(neural_tangent_kernel(module, X)), expected @ expected.T, rtol=1e-12)
