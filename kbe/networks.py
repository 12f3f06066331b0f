"""The networks of section II as plain `torch.nn.Module`s, and the sizes of their layers (equations 6, 7, 9 to 11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from kbe.checks import Count, NonNegative, OneOf, Real, checked
from kbe.refusals import shown

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


Activation = Annotated[str, OneOf(ACTIVATIONS)]
Head = Annotated[str, OneOf(HEADS)]
Padding = Literal["zeros", "circular", "valid"]
Masked = Annotated[float, Real(0, 0.99)]  # with all masked there would be nothing to train


class BitNetwork(nn.Module):
    r"""A convolutional network on bit strings with one linear head an output, Eq. (9)-(11).

    .. math::
        y = f_n \circ \dots \circ f_0(x), \qquad
        h_k = R\big(b_k + \textstyle\sum_j c_{jk}(h_j)\big), \qquad
        y = R'\big(\textstyle\sum_i a_i \cdot h_i + b\big)

    Parameters
    ----------
    heads
        The activation R' of each head, names in `HEADS`.
    bits
        b, the length of an input.
    layers
        The number of convolution layers.
    channels
        s_c, the output channels of every layer.
    kernel_size
        s_k, the positions that a convolution sees.
    activation
        R of the layers, a name in `ACTIVATIONS`.
    padding
        What stands beyond the ends of the string; "valid" shortens it by s_k - 1 a layer.
    sigma_floor
        Added to the second head's output: the least standard deviation it can give.
    dropout
        The share of every layer's outputs that is masked at random while training.
    detach_deviation
        Whether the second head sees the features without a gradient, so that only the mean shapes them (Stirn
        et al. 2023).

    Raises
    ------
    ValueError
        If there is no head, or nothing of the string is left.
    """

    @checked
    def __init__(
        self,
        heads: tuple[Head, ...],
        bits: Count = 8,
        layers: Count = 3,
        channels: Count = 3,
        kernel_size: Count = 3,
        activation: Activation = "elu",
        padding: Padding = "zeros",
        sigma_floor: NonNegative = 0.0,
        dropout: Masked = 0.0,
        detach_deviation: bool = False,
    ) -> None:
        super().__init__()
        if not heads:
            raise ValueError("heads is (): it must be the activation of each head, one at least.")
        positions = bits - layers * (kernel_size - 1) if padding == "valid" else bits
        if positions < 1 or (padding == "circular" and kernel_size > bits):
            raise ValueError(
                f"kernel_size is {kernel_size}: with {layers} layers and {padding!r} padding "
                f"it is too large for {bits} bits."
            )
        self.bits, self.activation, self.padding, self.head_activations = bits, activation, padding, heads
        self.layers, self.channels, self.kernel_size, self.positions = layers, channels, kernel_size, positions
        self.sigma_floor, self.detach_deviation = sigma_floor, detach_deviation
        self.dropout = nn.Dropout(dropout) if dropout else None
        extent = "valid" if padding == "valid" else "same"
        mode: Literal["zeros", "circular"] = "circular" if padding == "circular" else "zeros"
        self.convolutions = nn.ModuleList(
            nn.Conv1d(1 if layer == 0 else channels, channels, kernel_size, padding=extent, padding_mode=mode)
            for layer in range(layers)
        )
        self.nonlinearity = ACTIVATIONS[activation]()
        self.heads = nn.ModuleList(nn.Linear(channels * positions, 1) for _ in heads)

    def features(self, x: Tensor) -> Tensor:
        """The shared function f of equations 6 and 7: the last hidden layer, flattened.

        Parameters
        ----------
        x
            Bit strings, shape (..., bits).

        Returns
        -------
        Tensor
            The features, shape (..., channels * positions), channel by channel.

        Raises
        ------
        ValueError
            If it is another tensor, or none.
        """
        if not isinstance(x, Tensor) or not x.is_floating_point() or not x.numel() or x.shape[-1:] != (self.bits,):
            given = f"of shape {tuple(x.shape)} and {x.dtype}" if isinstance(x, Tensor) else shown(x)
            raise ValueError(
                f"x is {given}: it must hold real numbers, and its last dimension must be the {self.bits} bits."
            )
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
        x
            Bit strings, shape (..., bits).

        Returns
        -------
        Tensor
            The mean and, with a second head, the standard deviation, shape (..., heads).
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
    """The average network: one head, the mean mu of equation 6.

    Parameters
    ----------
    mean
        The activation of the head.
    **settings
        The further arguments of `BitNetwork`.
    """

    @checked
    def __init__(self, mean: Head = "sigmoid", **settings: Any) -> None:
        super().__init__((mean,), **settings)


class VarianceNetwork(BitNetwork):
    """The variance network: two heads, the mean mu and the standard deviation sigma of equations 6 and 7.

    Parameters
    ----------
    mean
        The activation of the head for mu. The paper does not name it; all trajectories of its
        Fig. 1 start near (0.5, 0.5), where two sigmoids start.
    deviation
        The activation of the head for sigma.
    **settings
        The further arguments of `BitNetwork`.
    """

    @checked
    def __init__(self, mean: Head = "sigmoid", deviation: Head = "sigmoid", **settings: Any) -> None:
        super().__init__((mean, deviation), **settings)


@checked
def layer_sizes(network: BitNetwork) -> list[tuple]:
    """What goes into each layer and comes out, the number of its weights, and how far it sees.

    Returns
    -------
    list of tuple
        A row for each layer and head, and one for the whole network: its name, its input and output (channels ×
        positions), its weights, and the number of input bits that a single output depends on, at the position that
        depends on most: a window of s_k positions widens by s_k - 1 a layer, until it sees the whole string.
    """
    rows: list[tuple] = []
    inputs, positions, shrinks = 1, network.bits, network.padding == "valid"
    for layer, convolution in enumerate(network.convolutions, 1):
        into = f"{inputs} × {positions}"
        inputs, positions = network.channels, positions - (network.kernel_size - 1) * shrinks
        seen = min(network.bits, 1 + layer * (network.kernel_size - 1))
        name = f"convolution {layer}, {network.activation}"
        rows.append((name, into, f"{inputs} × {positions}", _weights(convolution), seen))
    for activation, head in zip(network.head_activations, network.heads, strict=True):
        rows.append((f"linear head, {activation}", inputs * positions, 1, _weights(head), network.bits))
    return [*rows, ("all", network.bits, len(network.heads), _weights(network), "")]


def _weights(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
