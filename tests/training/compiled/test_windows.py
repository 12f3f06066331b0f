"""Distinct windows: the graph computes the network, and computes nothing twice."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kbe.data.encoding import all_inputs, random_encoding
from kbe.networks import BitNetwork
from kbe.training.compiled.windows import WindowGraph, merged_graph, plain_graph

FEW = settings(max_examples=25, deadline=None)
SHAPES = [(8, 3, 3, "zeros"), (8, 3, 3, "circular"), (8, 3, 3, "valid"), (6, 2, 2, "zeros"), (5, 2, 4, "zeros"),
          (6, 2, 4, "circular"),
          (7, 1, 1, "zeros"), (4, 5, 3, "zeros"), (1, 2, 3, "zeros"), (7, 2, 4, "valid")]  # fmt: skip


def outputs_by_graph(graph: WindowGraph, module: BitNetwork, values: np.ndarray) -> np.ndarray:
    """Eq. (10) and (11) over a graph's units, in NumPy: what each row's first head gives before its activation."""
    hidden = np.append(values, 0.0)[:, None]
    for convolution, parents in zip(module.convolutions, graph.parents, strict=True):
        weight, bias = convolution.weight.detach().numpy(), convolution.bias.detach().numpy()
        z = np.einsum("okt,utk->uo", weight, hidden[parents]) + bias
        hidden = np.vstack([np.where(z > 0, z, np.expm1(z)), np.zeros(z.shape[1])])
    head = module.heads[0]
    a = head.weight.detach().numpy().reshape(module.channels, -1)
    nodes = [a[:, position] @ hidden[unit] for position, unit in graph.pairs]
    for i, j in graph.sums:
        nodes.append(nodes[i] + nodes[j])
    return np.array(nodes)[graph.rows] + head.bias.item()


def make(bits: int, layers: int, kernel_size: int, padding: str) -> BitNetwork:
    torch.manual_seed(0)
    return BitNetwork(("linear",), bits, layers, 2, kernel_size, padding=padding).double()


def by_torch(module: BitNetwork, x: np.ndarray) -> np.ndarray:
    return module(torch.as_tensor(x))[:, 0].detach().numpy()


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("shape", SHAPES)
def test_eq9_merged_graph_gives_the_networks_outputs(shape):
    module, inputs = make(*shape), all_inputs(shape[0])[::3]
    graph = merged_graph(inputs, *shape[1:])
    np.testing.assert_allclose(outputs_by_graph(graph, module, graph.values), by_torch(module, inputs), atol=1e-14)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("shape", SHAPES)
def test_eq9_plain_graph_gives_each_members_outputs(shape):
    module, x = make(*shape), random_encoding(3, shape[0], 4, repeat=True).x.values
    graph = plain_graph(x, *shape[1:])
    for member in range(4):
        found = outputs_by_graph(graph, module, graph.values[:, member])
        np.testing.assert_allclose(found, by_torch(module, x[member]), atol=1e-14)


def test_eight_bits_have_8_then_48_then_224_windows():
    graph = merged_graph(all_inputs(8), 3, 3, "zeros")
    assert [len(parents) for parents in graph.parents] == [8, 48, 224]


@pytest.mark.parametrize("padding", ["zeros", "circular", "valid"])
def test_windows_are_as_many_as_counted_from_the_bits_they_cover(padding):
    """What a unit sees, spelled out through all layers: count the different cases over all strings."""
    bits = 6

    def seen(string: tuple[str, ...], layer: int, at: int) -> object:
        at = at % bits if padding == "circular" else at
        if not 0 <= at < bits:
            return "0" if layer == 0 else "nothing"  # beyond the end stands a zero in every layer
        return string[at] if layer == 0 else tuple(seen(string, layer - 1, at + step) for step in (-1, 0, 1))

    for layer, parents in enumerate(merged_graph(all_inputs(bits), 2, 3, padding).parents, 1):
        centres = range(layer, bits - layer) if padding == "valid" else range(bits)
        strings = itertools.product("01", repeat=bits)
        assert len(parents) == len({seen(string, layer, centre) for string in strings for centre in centres})


def test_no_unit_pair_or_sum_occurs_twice():
    graph = merged_graph(all_inputs(7), 3, 3, "zeros")
    for table in (*graph.parents, graph.pairs, graph.sums):
        assert len(np.unique(table, axis=0)) == len(table)


def test_sums_stand_after_what_they_add():
    for graph in (merged_graph(all_inputs(7), 2, 3, "zeros"), plain_graph(all_inputs(7)[None, :5], 2, 3, "zeros")):
        assert (graph.sums.max(1) < len(graph.pairs) + np.arange(len(graph.sums))).all()


@FEW
@given(bits=st.integers(1, 7), layers=st.integers(1, 3), kernel_size=st.integers(1, 4), seed=st.integers(0, 99))
def test_graphs_agree_on_rows_that_all_members_share(bits, layers, kernel_size, seed):
    inputs = np.unique(random_encoding(5, bits, repeat=True, seed=seed).x.values[0], axis=0)
    module = make(bits, layers, kernel_size, "zeros")
    merged, plain = (
        merged_graph(inputs, layers, kernel_size, "zeros"),
        plain_graph(inputs[None], layers, kernel_size, "zeros"),
    )
    found = outputs_by_graph(plain, module, plain.values[:, 0])
    np.testing.assert_allclose(outputs_by_graph(merged, module, merged.values), found, atol=1e-13)


def test_values_other_than_bits_are_kept_apart():
    inputs = np.array([[0.5, 1, 2], [1, 2, 0.5]])
    graph, module = merged_graph(inputs, 2, 3, "zeros"), make(3, 2, 3, "zeros")
    np.testing.assert_allclose(outputs_by_graph(graph, module, graph.values), by_torch(module, inputs), atol=1e-14)


def test_cost_grows_as_the_points_without_merging_and_stays_where_windows_are_merged():
    x = random_encoding(256, 8).x.values
    few, all_of_them = plain_graph(x[:, :16], 3, 3, "zeros"), plain_graph(x, 3, 3, "zeros")
    assert all_of_them.cost(3) == 16 * few.cost(3)
    merged = [merged_graph(np.unique(x[0, :n], axis=0), 3, 3, "zeros").cost(3) for n in (100, 256)]
    assert merged[1] < 1.5 * merged[0] < 0.2 * all_of_them.cost(3)


def test_cost_of_one_unit_by_hand():
    """One bit, one layer, one tap, two channels, one head: 2 products, 2 activations, 1 pair, 1 row."""
    graph = plain_graph(np.ones((1, 1, 1)), 1, 1, "zeros")
    assert graph.cost(2, 1) == 2 + 7 * 2 + 1.5 * 2 + 9
