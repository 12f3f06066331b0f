"""The networks of section II as plain `torch.nn.Module`s, and what each layer sees (equations 6, 7 and 9 to 11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from kbe import checks
from kbe.book.tables import Table

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "elu": nn.ELU,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "linear": nn.Identity,
}
HEADS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "softplus": nn.functional.softplus,
    "exponential": torch.exp,
    "linear": lambda z: z,
}
PADDINGS = ("zeros", "circular", "valid")
MOST_DROPOUT = 0.99  # with all masked there would be nothing to train


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


class BitNetwork(nn.Module):
    r"""A convolutional network on bit strings with one linear head an output, Eq. (9)-(11).

    .. math::
        y = f_n \circ \dots \circ f_0(x), \qquad
        h_k = R\big(b_k + \textstyle\sum_j c_{jk}(h_j)\big), \qquad
        y = R'\big(\textstyle\sum_i a_i \cdot h_i + b\big)

    Parameters
    ----------
    heads : tuple of str
        The activation R' of each head: "sigmoid", "softplus", "exponential" or "linear".
    bits : int
        b, the length of an input.
    layers : int
        The number of convolution layers.
    channels : int
        s_c, the output channels of every layer.
    kernel_size : int
        s_k, the positions that a convolution sees.
    activation : str
        R of the layers: "elu", "relu", "tanh", "sigmoid" or "linear".
    padding : {"zeros", "circular", "valid"}
        What stands beyond the ends of the string; "valid" shortens it by s_k - 1 a layer.
    sigma_floor : float
        Added to the second head's output: the least standard deviation it can give.
    dropout : float
        The share of every layer's outputs that is masked at random while training.
    detach_deviation : bool
        Whether the second head sees the features without a gradient, so that only the mean shapes them (Stirn
        et al. 2023).

    Raises
    ------
    ValueError
        If an argument is out of range or nothing of the string is left.
    """

    def __init__(
        self,
        heads: tuple[str, ...],
        bits: int = 8,
        layers: int = 3,
        channels: int = 3,
        kernel_size: int = 3,
        activation: str = "elu",
        padding: str = "zeros",
        sigma_floor: float = 0.0,
        dropout: float = 0.0,
        detach_deviation: bool = False,
    ) -> None:
        super().__init__()
        for name, value in {"bits": bits, "layers": layers, "channels": channels, "kernel_size": kernel_size}.items():
            checks.integer(name, value, 1)
        if not isinstance(heads, (tuple, list)) or not heads:
            raise ValueError(f"heads is {checks.shown(heads)}: it must be a tuple with the activation of each head.")
        for head in heads:
            checks.choice("head activation", head, HEADS)
        checks.choice("activation", activation, ACTIVATIONS)
        checks.choice("padding", padding, PADDINGS)
        self.sigma_floor = checks.number("sigma_floor", sigma_floor, 0)
        self.dropout = nn.Dropout(checks.number("dropout", dropout, 0, MOST_DROPOUT)) if dropout else None
        self.detach_deviation = checks.flag("detach_deviation", detach_deviation)
        positions = bits - layers * (kernel_size - 1) if padding == "valid" else bits
        if positions < 1 or (padding == "circular" and kernel_size > bits):
            raise ValueError(
                f"kernel_size is {kernel_size}: with {layers} layers and {padding!r} padding "
                f"it is too large for {bits} bits."
            )
        self.bits, self.activation, self.padding, self.head_activations = bits, activation, padding, tuple(heads)
        self.layers, self.channels, self.kernel_size, self.positions = layers, channels, kernel_size, positions
        extent = "valid" if padding == "valid" else "same"
        mode: Literal["zeros", "circular"] = "circular" if padding == "circular" else "zeros"
        self.convolutions = nn.ModuleList(
            nn.Conv1d(1 if layer == 0 else channels, channels, kernel_size, padding=extent, padding_mode=mode)
            for layer in range(layers)
        )
        self.nonlinearity = ACTIVATIONS[activation]()
        self.heads = nn.ModuleList(nn.Linear(channels * positions, 1) for _ in heads)

    def features(self, x: Tensor) -> Tensor:
        """The shared function f of Eq. (6) and (7): the last hidden layer, flattened.

        Parameters
        ----------
        x : Tensor, shape (..., bits)
            Bit strings.

        Returns
        -------
        Tensor, shape (..., channels * positions)
            The features, channel by channel.

        Raises
        ------
        ValueError
            If the last dimension is not the number of bits.
        """
        if not isinstance(x, Tensor) or not x.is_floating_point() or not x.numel():
            given = f"of shape {tuple(x.shape)} and {x.dtype}" if isinstance(x, Tensor) else checks.shown(x)
            raise ValueError(f"x is {given}: it must be a tensor of real numbers with at least one element.")
        if x.ndim == 0 or x.shape[-1] != self.bits:
            raise ValueError(f"x has shape {tuple(x.shape)}: its last dimension must be the {self.bits} bits.")
        hidden = x.reshape(-1, 1, self.bits)
        for convolution in self.convolutions:
            hidden = self.nonlinearity(self._convolved(convolution, hidden))
            hidden = hidden if self.dropout is None else self.dropout(hidden)
        return hidden.flatten(1).reshape(*x.shape[:-1], -1)

    def _convolved(self, convolution: nn.Module, hidden: Tensor) -> Tensor:
        """What the convolution gives, as one product of matrices: over members and points at once that is faster."""
        if self.padding != "valid":
            beyond = ((self.kernel_size - 1) // 2, self.kernel_size // 2)
            hidden = nn.functional.pad(hidden, beyond, "circular" if self.padding == "circular" else "constant")
        positions = hidden.shape[-1] - self.kernel_size + 1
        windows = torch.stack([hidden[..., k : k + positions] for k in range(self.kernel_size)], 2)
        weight, bias = convolution.parameters()
        return weight.flatten(1) @ windows.flatten(1, 2) + bias[:, None]

    def forward(self, x: Tensor) -> Tensor:
        """The heads' outputs, Eq. (6) and (7).

        Parameters
        ----------
        x : Tensor, shape (..., bits)
            Bit strings.

        Returns
        -------
        Tensor, shape (..., heads)
            The mean and, with a second head, the standard deviation.
        """
        shared = self.features(x)
        seen = [shared.detach() if k == 1 and self.detach_deviation else shared for k in range(len(self.heads))]
        outputs = [
            HEADS[name](head(features))
            for name, head, features in zip(self.head_activations, self.heads, seen, strict=True)
        ]
        if len(outputs) > 1:
            outputs[1] = outputs[1] + self.sigma_floor
        return torch.cat(outputs, -1)


class AverageNetwork(BitNetwork):
    """The average network: one head, the mean mu of Eq. (6).

    Parameters
    ----------
    mean : str
        The activation of the head.
    **settings : int, float or str
        The further arguments of `BitNetwork`.
    """

    def __init__(self, mean: str = "sigmoid", **settings: Any) -> None:
        super().__init__((mean,), **settings)


class VarianceNetwork(BitNetwork):
    """The variance network: two heads, the mean mu and the standard deviation sigma of Eq. (6) and (7).

    Parameters
    ----------
    mean : str
        The activation of the head for mu. The paper does not name it; all trajectories of its
        Fig. 1 start near (0.5, 0.5), where two sigmoids start.
    deviation : str
        The activation of the head for sigma.
    **settings : int, float or str
        The further arguments of `BitNetwork`.
    """

    def __init__(self, mean: str = "sigmoid", deviation: str = "sigmoid", **settings: Any) -> None:
        super().__init__((mean, deviation), **settings)


def _weights(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
