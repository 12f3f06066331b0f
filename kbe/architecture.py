"""A network layer by layer: shapes, weights, and how far each layer sees (equations 9 to 11)."""

from __future__ import annotations

import torch
from torch import nn

from kbe import checks
from kbe.networks import BitNetwork
from kbe.tables import Table


def layer_table(network: BitNetwork) -> Table:
    """The layers of a network on bit strings, Eq. (9)-(11).

    Parameters
    ----------
    network : BitNetwork
        The network.

    Returns
    -------
    Table
        One row a layer: what goes in, what comes out, the number of its weights, and the number of input bits that
        a single output depends on, at the position that depends on most.

    Raises
    ------
    ValueError
        If it is another kind of network.
    """
    if not isinstance(network, BitNetwork):
        raise ValueError(f"network is a {type(network).__name__}: it must be a BitNetwork.")
    rows: list[list[object]] = []
    positions = network.bits
    for layer, convolution in enumerate(network.convolutions, 1):
        assert isinstance(convolution, nn.Conv1d)
        into = f"{convolution.in_channels} × {positions}"
        positions -= (convolution.kernel_size[0] - 1) * (network.padding == "valid")
        out = f"{convolution.out_channels} × {positions}"
        name = f"convolution {layer}, {network.activation}"
        rows.append([name, into, out, _weights(convolution), bits_seen(network, layer)])
    for activation, head in zip(network.head_activations, network.heads, strict=True):
        assert isinstance(head, nn.Linear)
        rows.append([f"linear head, {activation}", head.in_features, 1, _weights(head), network.bits])
    rows.append(["all", network.bits, len(network.heads), _weights(network), ""])
    return Table(("Layer", "Input (channels × bits)", "Output", "Weights", "Bits seen"), rows)


def bits_seen(network: BitNetwork, layer: int) -> int:
    """The input bits that one position of a convolution layer depends on, found by derivatives.

    Parameters
    ----------
    network : BitNetwork
        The network; its weights do not matter.
    layer : int
        Which convolution, counted from 1.

    Returns
    -------
    int
        Their number, at the position that depends on most.

    Raises
    ------
    ValueError
        If there is no such layer.
    """
    checks.integer("layer", layer, 1, len(network.convolutions))

    def positions(x: torch.Tensor) -> torch.Tensor:
        hidden = x[None, None]
        for convolution in list(network.convolutions)[:layer]:
            ones = [torch.ones_like(parameter) for parameter in convolution.parameters()]
            named = dict(zip(dict(convolution.named_parameters()), ones, strict=True))
            hidden = torch.func.functional_call(convolution, named, (hidden,))
        return hidden[0, 0]

    derivatives = torch.autograd.functional.jacobian(positions, torch.zeros(network.bits))
    return int((derivatives != 0).sum(1).max())


def _weights(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
