"""What every loss asks of its arguments."""

from __future__ import annotations

from torch import Tensor


def two_heads(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The first two heads' outputs.

    Parameters
    ----------
    output : Tensor, shape (..., heads)
        A network's output.
    target : Tensor, shape (...)
        y.

    Returns
    -------
    tuple of Tensor, each of shape (...)
        Location and scale.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    check_shapes(output, target, 2)
    return output[..., 0], output[..., 1]


def check_shapes(output: Tensor, target: Tensor, heads: int) -> None:
    """Refuse what is no tensor, too few heads, and targets of another shape.

    Parameters
    ----------
    output : Tensor, shape (..., heads)
        A network's output.
    target : Tensor, shape (...)
        y.
    heads : int
        The least number of heads.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    if not isinstance(output, Tensor) or not isinstance(target, Tensor):
        kinds = f"output is a {type(output).__name__} and target a {type(target).__name__}"
        raise ValueError(f"{kinds}: both must be torch tensors.")
    if output.ndim == 0 or output.shape[-1] < heads or output.shape[:-1] != target.shape:
        shapes = f"output has shape {tuple(output.shape)} and target {tuple(target.shape)}"
        raise ValueError(f"{shapes}: output must have the target's shape and then at least {heads} heads.")
