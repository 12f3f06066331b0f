"""Every figure of the book: drawn without a warning, its axes named, its lines the data that it was given."""

from __future__ import annotations

import ast
import re
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import PathCollection
from matplotlib.colors import LogNorm
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D
from matplotlib.quiver import Quiver

from kbe.figures import (
    balance,
    bayes,
    calibration,
    cost,
    density,
    dropout,
    feature_space,
    local_variance,
    mean_field,
    minor_modes,
    model,
    nan_in_training,
    one_hidden_layer,
    one_point,
    plasticity,
    report,
    response_law,
    robust_losses,
    scale,
    spectrum,
    training_response,
    variance_dynamics,
)
from kbe.figures.style import show

ROOT = Path(__file__).parents[2]
EPOCHS = np.array([0, 1, 10, 100])
QUANTILES = [0.25, 0.5, 0.75]
nan, inf = np.nan, np.inf


def dataset(values, *names, **coords):
    """Variables that are each greater by one than the one before."""
    return xr.Dataset({name: (tuple(coords), np.asarray(values) + k) for k, name in enumerate(names)}, coords)


def array(values, **coords):
    return dataset(np.asarray(values), "value", **coords)["value"]


ROWS = np.arange(1.0, 17).reshape(4, 4)  # (member, epoch)
THREE = array(ROWS[:3], quantile=QUANTILES, epoch=EPOCHS)
CURVE = array([1.0, 2, 3, 4], epoch=EPOCHS)
PROFILE = array([3.0, 2, 1], distance=[0, 1, 2])
GREATEST = array([0.3, 0.5, 0.0], error=[0.1, 0.5, 1.0])
PARTS = {"square": np.array([3.0, 1, 0.5]), "error": np.array([2.0, nan, 0.5])}
SIZES = [1, 20, 256]
ONSETS = array(np.outer([1, 2, 3], [5.0, 50, inf]), quantile=QUANTILES, points=SIZES)
GAP = array([[0.01, 0.1, 0.2], [0.02, 0.3, nan], [0.03, 0.5, 0.4]], points=SIZES, epoch=EPOCHS[:3])
AGES = np.array([0, 10, 1000])
TIMES = array([[5.0, 2, inf], [7, 3, inf], [9, 4, 20]], member=[0, 1, 2], age=AGES)
SPEEDS = array([[4.0, 3, 1], [6, 5, 2]], member=[0, 1], age=AGES)
DRAW = dataset([4.0, 2, 1], "eigenvalue", "participation", mode=[1, 2, 3]).assign(
    x=("point", [0.1, 0.2, 0.9]), eigenvector=(("mode", "point"), np.eye(3))
)
DRAWS = xr.concat([DRAW, 2 * DRAW, 4 * DRAW], "member")
DEVIATION = np.geomspace(0.01, 1, 201)
LOSSES = {error: np.log(DEVIATION) + 0.5 * (error / DEVIATION) ** 2 for error in (0.1, 0.0)}
FACTORS = dataset([[1.0, -1.5, 2]], "factor", way=["momentum"], epoch=EPOCHS[:3])
FACTORS["cosine"] = ("way", "epoch"), [[1.0, -0.5, 1]]
TRAINED = dataset(CURVE, "size", "head", "features", "readout", "slope", epoch=EPOCHS)
TRAINED["stage"] = "epoch", ["start", "start", "fall", "plateau"]
RATIOS = dataset(np.arange(6.0).reshape(3, 2), "low", "estimate", "high",
                 quantity=["dimension", "distance", "flip_response"], level=[0.1, 0.01])  # fmt: skip
NETWORKS = dataset(ROWS[:3], "squared_error", "predicted", "alpha", "printed", "explained",
                   quantile=QUANTILES, epoch=EPOCHS)  # fmt: skip
MU = array(ROWS, epoch=EPOCHS, point=range(4))
RATES = dataset([[0.1, 1], [0.3, 3]], "mean", "deviation", member=[0, 1], share=[0, 0.5])
LAGGED = dataset([[0.5, 2], [1, 4], [3, nan]], "x", member=[0, 1, 2], lag=[2, 1])
LAGGED.x.attrs["long_name"] = "some"
PAIRS = xr.concat([THREE, 2 * THREE], xr.DataArray(["a", "b"], dims="pairs", name="pairs"))
LAWS = xr.Dataset({"predicted": (("law", "epoch"), ROWS[:2]), "median": ("epoch", ROWS[2])},
                  {"law": ["power", "constant"], "epoch": EPOCHS + 1}, {"window": (1, 100)})  # fmt: skip
EXPONENTS = dataset([[1.0, 0.5], [1.2, 0.4]], "low", "exponent", "high", setting=["x", "y"], pairs=["a", "b"])
FIELD = dataset([[0.5, 1], [2, 4]], "steepness", deviation=[0.1, 0.9], error=[0.1, 0.9])
FIELD = FIELD.assign(to_error=0 * FIELD.steepness + 0.6, to_deviation=0 * FIELD.steepness - 0.8)
PATHS = dataset([[[0.5], [0.3], [0.2], [0]]], "error", "sigma", member=[0], epoch=EPOCHS, point=[0])
PATHS["stable"] = ("member", "epoch"), [[True, True, True, False]]
RUN = dataset(ROWS / 20, "mu", "sigma", epoch=EPOCHS, point=range(4)).assign(onset=10.0)


def timed(*values):
    model = 100.0 * np.array(values)
    seconds = 1e-9 * model[:, None] * np.array([0.9, 1.0, 1.3])
    return xr.Dataset({"seconds": (("value", "repeat"), seconds), "model": ("value", model)}, {"value": list(values)})


# A figure function, what it is given, which axes of its first panel are logarithmic, and some of its lines: by panel
# and number of the line, what is drawn upwards.
FIGURES = [
    (balance.local_step, (EPOCHS, ROWS, EPOCHS[1:], ROWS[0, 1:], ROWS[1, 1:]), "xy",
     {(0, 0): np.median(ROWS, 0), (1, 0): ROWS[0, 1:], (1, 1): ROWS[1, 1:]}),
    (balance.expansion, (THREE[:2].rename(quantile="epoch", epoch="distance"), ROWS[:2] + 1, EPOCHS, {"a": ROWS[3]}),
     "", {(0, 0): ROWS[0], (0, 3): ROWS[1] + 1, (1, 0): ROWS[3]}),
    (balance.resting_places, (EPOCHS, {"one": ROWS, "two": ROWS + 1}), "xy", {(0, 1): np.median(ROWS, 0) + 1}),
    (balance.scale_in_theory, (EPOCHS[1:], ROWS[0, 1:], ROWS[1, 1:], 1.5, ROWS[2, 1:] / 12), "xy",
     {(0, 0): ROWS[0, 1:], (0, 1): ROWS[1, 1:], (0, 2): 1.5 * ROWS[1, 1:], (1, 0): ROWS[2, 1:] / 12}),
    (balance.scale_in_networks, (EPOCHS, np.vstack([ROWS, np.full(4, nan)]), ROWS / 16, ROWS / 32), "x",
     {(0, 0): np.median(ROWS, 0), (1, 1): np.median(ROWS, 0) / 32}),
    (bayes.scores_over_epochs, ({"a": array([0.1, 0.4, -inf], epoch=[0, 10, 20])}, 1.1), "",
     {(0, 0): [0.1, 0.4, nan], (0, 1): [1.1, 1.1]}),
    (calibration.over_training, ({"a": dataset(CURVE / 9, "own", "held_out", "score", epoch=EPOCHS)[{"epoch": [1, 2]}]},
                                 0.9), "x", {(0, 1): [0.9, 0.9], (1, 0): [11 / 9, 12 / 9], (2, 0): [20 / 9, 21 / 9]}),
    (scale.scale_over_epochs, (NETWORKS.isel(quantile=0), NETWORKS, 50.0), "x",
     {(0, 0): ROWS[0], (1, 1): ROWS[0] + 3, (2, 1): ROWS[1] + 1, (3, 0): ROWS[1] + 2}),
    (scale.on_the_way, ({"a": THREE.rename(epoch="fraction")}, {"b": THREE.rename(epoch="fraction") + 1}), "",
     {(0, 0): ROWS[1], (1, 0): ROWS[1] + 1}),
    (scale.both_networks, ({"a": NETWORKS},), "x", {(0, 0): ROWS[1], (1, 0): ROWS[1] + 2, (2, 0): ROWS[1] + 4}),
    (dropout.spread_against_error, ({"a": xr.Dataset({"error": ("point", [0.5, 0.01]), "spread": ("point", [0.4, 0])})},
                                    GREATEST, 0.05), "xy",
     {(0, 0): [0.4, nan], (0, 1): GREATEST.values, (0, 2): [0.05, 0.05]}),
    (minor_modes.growth_and_modes, (EPOCHS, ROWS[:3], np.array([9.0, 1, 0.1]), np.array([5.0, 50, inf]),
                                    np.array([10.0, 100, 999])), "xy",
     {(0, 0): ROWS[1], (1, 0): [10, 100, 999], (1, 1): [5, 50]}),
    (minor_modes.designs, (EPOCHS, {"a": ROWS[0], "b": ROWS[1]}, {"a": ROWS[2], "b": ROWS[3]}), "x",
     {(0, 1): ROWS[1, 1:], (1, 0): ROWS[2, 1:]}),
    (local_variance.residual_parts, ({"theory": (EPOCHS[1:], PARTS), "networks": (EPOCHS[1:], PARTS)}, ["t", "epoch"]),
     "x", {(0, 0): [1, 1], (1, 1): PARTS["square"], (1, 2): PARTS["error"]}),
    (local_variance.rank_over_epochs, ({"few": (EPOCHS[1:], PARTS)}, {"few": 0.4}), "x",
     {(0, 0): [0.4, 0.4], (0, 2): PARTS["error"]}),
    (local_variance.against_truth, (ROWS[0] / 20, {"alone": ROWS[0] / 40, "averaged": ROWS[0] / 20}), "xy",
     {(0, 0): ROWS[0] / 40, (1, 0): ROWS[0] / 20}),
    (response_law.exponents_of_inputs, ({"a": (ROWS[0], ROWS[1]), "b": (ROWS[2], np.array([1, nan, 3, 4]))},), "",
     {(0, 0): ROWS[1], (0, 1): [1, nan, 3, 4]}),
    (response_law.shapes_in_training, ({"start": PROFILE - 1},), "y", {(0, 0): [2, 1, nan]}),
    (mean_field.splits_over_epochs, ({"n": THREE, "m": 2 * THREE}, {"n": 0.1 * THREE}, {"random": (50, 0.5)}), "x",
     {(0, 0): ROWS[1, 1:], (0, 1): 2 * ROWS[1, 1:], (0, 2): [50, 50], (1, 0): ROWS[1, 1:] / 10, (1, 1): [0.5, 0.5]}),
    (plasticity.second_curves, ({"a": array(ROWS[:2], age=[0, 10], epoch=EPOCHS)},), "x", {(0, 1): ROWS[1, 1:]}),
    (robust_losses.learning_of_losses, ({"a": dataset(CURVE, "squared_error", "predicted", "unstable", epoch=EPOCHS)},),
     "x", {(panel, 0): CURVE[1:] + panel for panel in range(3)}),
    (spectrum.spectrum_of_draws, (DRAWS, DRAW.expand_dims("member"), ROWS[0, :3], np.full(3, 0.1)), "xy",
     {(0, 0): [8, 4, 2], (0, 1): [4, 2, 1], (0, 2): [1, 2, 3], (1, 0): [10, 6, 4]}),
    (spectrum.mode_decay, (EPOCHS, ROWS, ROWS / 2, [2, 4]), "x", {(0, 2): ROWS[1:, 3], (0, 3): ROWS[1:, 3] / 2}),
    (spectrum.order_decay, (ROWS, ROWS[0], EPOCHS, ROWS, [0, 2]), "y",
     {(0, 0): np.median(ROWS, 0), (1, 1): ROWS[1:, 2]}),
    (training_response.responses_in_training, ({"network": {"start": PROFILE}},), "", {(0, 0): [3, 2, 1]}),
    (training_response.response_over_distance, (xr.concat([PROFILE, 3 * PROFILE], "member").expand_dims("head"),
                                                PROFILE.expand_dims("head"), ("mean",)), "", {(0, 2): [6, 4, 2]}),
    (training_response.kernel_changes, ({"a": xr.Dataset({"size": THREE, "shape": 2 * THREE})}, 0.05), "xy",
     {(0, 0): ROWS[1, 1:], (0, 1): [1, 1], (1, 0): 2 * ROWS[1, 1:], (1, 1): [0.05, 0.05]}),
    (training_response.shapes_by_width, ({3: THREE}, {3: (10.0, 2.0)}), "x", {(0, 0): ROWS[1, 1:], (0, 1): [2]}),
    (training_response.aging, ({"size": THREE}, (np.array([1.0, 10]), np.array([1, 0.1])), 1.0), "xy",
     {(0, 0): ROWS[1, 1:], (0, 1): [1, 0.1]}),
    (model.prediction, (MU, 2 * MU, 10.0), "x", {(0, 3): ROWS[1:, 3], (1, 3): 2 * ROWS[1:, 3]}),
    (model.prediction_errors, ({3: THREE}, {3: 10.0}, 0.1), "xy", {(0, 0): ROWS[1, 1:], (0, 1): [7]}),
    (one_point.falls, ({"networks": array([[0.5, 0.1], [0.4, 0]], member=[0, 1], epoch=[0, 1])},), "y",
     {(0, 0): [0.5, 0.1], (0, 1): [0.4, 1e-11]}),
    (variance_dynamics.conserved, ([dataset([2.0, 1], "bound", "loss", time=[0.0, 1])],), "",
     {(0, 0): [2, 1], (0, 1): [1], (1, 0): [3, 2]}),
    (variance_dynamics.closeness, (RATES,), "y", {(0, 0): [0.2, 2], (0, 1): [1.2, 3]}),
    (variance_dynamics.toward_onset, (LAGGED,), "y", {(0, 0): [1, 3]}),
    (variance_dynamics.groups, (RUN, np.array([True] * 4), np.array([False] * 4), ""), "",
     {(0, 3): ROWS[:, 3] / 20 + 1, (3, 0): ROWS[:, 0] / 20}),
]  # fmt: skip


def drawn(draw, *data, **options):
    """The figure for light pages, after it has been shown as the book shows it."""
    figures = []

    def watched(*data, **options):
        figures.append(draw(*data, **options))
        figures[-1].set_dpi(40)  # a small picture is soon made
        return figures[-1]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        show(watched, *data, **options)
    assert len(figures) == 2 and not plt.get_fignums()
    for axes in figures[0].axes:
        assert axes.get_xlabel() or axes.get_ylabel() or axes.get_title()
    return figures[0]


@pytest.mark.parametrize(("draw", "data", "logarithmic", "lines"), FIGURES, ids=[one.__name__ for one, *_ in FIGURES])
def test_a_figure_draws_what_it_is_given(draw, data, logarithmic, lines):
    axes = drawn(draw, *data).axes
    scales = {"x": axes[0].get_xscale(), "y": axes[0].get_yscale()}
    assert "".join(name for name, kind in scales.items() if kind != "linear") == logarithmic
    for (panel, line), values in lines.items():
        np.testing.assert_allclose(axes[panel].lines[line].get_ydata(), values)


def labelled(draw, data):
    """What each label of a figure stands at, by panel."""
    found = {}
    for panel, axes in enumerate(draw(*data).axes):
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            line = handle[0] if isinstance(handle, ErrorbarContainer) else handle
            if isinstance(line, Line2D):
                found[panel, label] = np.array(line.get_xydata())
            elif isinstance(line, PathCollection):
                found[panel, label] = np.array(line.get_offsets())
    plt.close("all")
    return found


def named_series(data):
    """The data with a second name beside an only one, and for each name what is given of it alone."""

    def doubled(value):
        if isinstance(value, dict):
            return {key: doubled(one) for key, one in value.items()}
        if isinstance(value, tuple):
            return tuple(one if one is EPOCHS else doubled(one) for one in value)
        return 2 * value

    names = list(next(one for one in data if isinstance(one, dict)))
    added = [isinstance(one, dict) and list(one) == names == names[:1] for one in data]
    whole = [one | {7: doubled(one[names[0]])} if more else one for one, more in zip(data, added, strict=True)]
    names += [7] * any(added)
    ours = [isinstance(one, dict) and list(one) == names for one in whole]
    return whole, {
        name: [{name: one[name]} if own else one for one, own in zip(whole, ours, strict=True)] for name in names
    }


A_PANEL_EACH = {local_variance.residual_parts}
SERIES = [one[:2] for one in FIGURES if one[0] not in A_PANEL_EACH and any(isinstance(data, dict) for data in one[1])]


@pytest.mark.parametrize(("draw", "data"), SERIES, ids=[draw.__name__ for draw, _ in SERIES])
def test_a_name_stands_at_its_own_data(draw, data):
    """Among others it is drawn as it is alone."""
    whole, alone = named_series(data)
    together = labelled(draw, whole)
    for name, its in alone.items():
        single = labelled(draw, its)
        for place in single.keys() & together.keys():
            if str(name) in place[1]:
                np.testing.assert_array_equal(together[place], single[place])


FOR_ALL = ("bands", "moving", "panels", "style", "words")
CHAPTERS = [path for path in (ROOT / "kbe" / "figures").glob("[a-z]*.py") if path.stem not in FOR_ALL]


@pytest.mark.parametrize(("draw", "data"), [one[:2] for one in FIGURES], ids=[one.__name__ for one, *_ in FIGURES])
def test_a_figure_says_in_words_what_it_draws(draw, data):
    words = draw(*data).get_label()
    plt.close("all")
    assert len(words) > 60 and re.search(r"\d|no number", words) and "nan" not in words and "inf" not in words


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_file_holds_the_figures_of_its_chapter_and_each_is_tested_here(path):
    held = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
    shown = re.findall(r"(?<!kbe\.)\bfigures\.(\w+)", (ROOT / "book" / f"{path.stem}.md").read_text())
    assert {name for name in held if name[0] != "_"} == set(shown)
    assert all(f"{path.stem}.{name}" in Path(__file__).read_text() for name in shown)


def test_eq3_step_errors_have_a_guide_of_the_given_slope():
    (axes,) = drawn(
        training_response.step_errors, np.array([0.01, 0.1]), {"a": np.array([[1e-4, 1e-3]])}, {"a": 2}
    ).axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [1e-4, 1e-3])
    np.testing.assert_allclose(axes.lines[1].get_ydata(), [1e-4, 1e-2])
    assert axes.get_xscale() == axes.get_yscale() == "log" and axes.lines[1].get_label() == "slope 2"


def test_eq5_kernels_have_one_scale_of_colours():
    axes = drawn(training_response.kernel_matrices, np.eye(3), np.full((3, 3), 2.0)).axes
    assert [axis.images[0].get_clim() for axis in axes[:2]] == [(0, 2), (0, 2)]


def test_eq5_sizes_are_drawn_without_the_start_beside_their_power():
    axes = drawn(response_law.sizes_of_pairs, PAIRS, [0.5, -1], 10).axes[0]
    np.testing.assert_allclose(axes.lines[2].get_ydata(), 2 * ROWS[1, 1:])
    guide = axes.lines[1].get_ydata()
    np.testing.assert_allclose(guide[0] / guide[-1], 10**0.5)


def test_eq5_laws_and_data_are_drawn_with_a_line_between_the_halves():
    axes = drawn(response_law.predictions_of_laws, {"all": LAWS}).axes[0]
    np.testing.assert_allclose(axes.lines[1].get_ydata(), ROWS[1])
    np.testing.assert_allclose(axes.lines[2].get_ydata(), ROWS[2])
    assert axes.lines[3].get_xdata()[0] == 10


def test_eq5_exponents_have_their_intervals():
    axes = drawn(response_law.exponents_of_settings, EXPONENTS, (1, 0.5)).axes[0]
    assert [bar.lines[0].get_xdata().tolist() for bar in axes.containers] == [[2.0, 2.2], [1.5, 1.4]]
    np.testing.assert_allclose(axes.collections[0].get_segments()[0][:, 0], [1, 3])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "y"]


def test_eq8_loss_has_a_marker_at_its_inner_minimum_only():
    lines = drawn(training_response.loss_over_deviation, DEVIATION, LOSSES).axes[0].lines
    (marker,) = [line for line in lines if len(line.get_xdata()) == 1]
    assert marker.get_xdata()[0] == pytest.approx(0.1, rel=0.03)


def test_bits_and_targets_are_squares():
    bits, targets = drawn(model.bit_encoding, np.array([[0, 1], [1, 1]]), np.array([1, 0])).axes
    np.testing.assert_array_equal(bits.collections[0].get_offsets(), [[2, 1], [1, 2], [2, 2]])
    np.testing.assert_array_equal(targets.collections[0].get_offsets(), [[1, 1]])


def test_starts_are_points():
    (axes,) = drawn(model.starts, {"sigmoid": np.array([[0.4, 0.6]])}).axes
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), [[0.4, 0.6]])


@pytest.mark.parametrize(("jumps", "seen"), [((), 3), (("some",), 4)])
def test_fig1_and_fig6_end_trajectories_at_the_onset_unless_jumps_are_wanted(jumps, seen):
    axes = drawn(one_point.on_gradient_field, {"some": PATHS}, FIELD, jumps=jumps).axes[0]
    assert np.isfinite(axes.lines[0].get_xdata().astype(float)).sum() == seen
    arrows = next(one for one in axes.collections if isinstance(one, Quiver))
    assert isinstance(arrows.norm, LogNorm) and axes.get_xlabel() == r"$|y - \mu|$" and axes.get_ylabel() == r"$\sigma$"
    np.testing.assert_allclose(arrows.get_array(), FIELD.steepness.values.ravel())
    np.testing.assert_allclose([arrows.U, arrows.V], [[0.6] * 4, [-0.8] * 4])


def test_a_product_is_a_line_a_member_with_gaps_where_a_logarithm_has_none():
    product = array([[0.5, 1, 3, nan], [-1.0, 2, 4, 5]], member=[0, 1], epoch=EPOCHS)
    (axes,) = drawn(nan_in_training.product_before_onset, product).axes
    np.testing.assert_array_equal(axes.lines[0].get_data(), [EPOCHS, [0.5, 1, 3, nan]])
    np.testing.assert_array_equal(axes.lines[1].get_data(), [EPOCHS, [nan, 2, 4, 5]])
    assert axes.lines[2].get_ydata()[0] == 2 and axes.get_yscale() == "log"
    assert "2 of them cross 2" in axes.figure.get_label()


def test_verdicts_are_bars_one_after_another_with_the_first_chapter_on_top():
    counts = array([[1, 2, 4], [8, 16, 32]], chapter=["one_point", "scale"], verdict=["holds", "does not hold", "open"])
    (axes,) = drawn(report.verdicts_by_chapter, counts).axes
    bars = [[(bar.get_x(), bar.get_width()) for bar in group] for group in axes.containers]
    assert bars == [[(0, 1), (0, 8)], [(1, 2), (8, 16)], [(3, 4), (24, 32)]]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["one point", "scale"] and axes.yaxis_inverted()
    assert [text.get_text() for text in axes.figure.legends[0].get_texts()] == ["holds", "does not hold", "open"]
    assert "are in scale, 16 of 56" in axes.figure.get_label()


def test_shares_that_coincide_are_all_seen():
    axes = drawn(one_point.instability_over_epochs, dict.fromkeys("abc", CURVE[1:] / 4)).axes[0]
    widths = [line.get_linewidth() for line in axes.lines]
    assert widths == sorted(widths, reverse=True) and len(set(widths)) == 3
    assert len({line.get_linestyle() for line in axes.lines}) == 3


def test_fig2_marks_the_lost_network():
    ensemble = dataset(ROWS[:3, :3] / 10, "squared_error", "predicted", "gap", quantile=QUANTILES, points=SIZES)
    single = ensemble.isel(quantile=0).where(ensemble.points != 20)
    shares = dataset([0.5, 0.2, 0], "unstable", "left_out", points=SIZES)
    above, middle, below = drawn(density.variances_over_sizes, single, ensemble, shares).axes
    assert list(above.lines[0].get_xdata()) == [20] and list(above.lines[1].get_xdata()) == [1, 256]
    np.testing.assert_allclose(above.lines[1].get_ydata(), single.squared_error.dropna("points"))
    np.testing.assert_allclose(middle.lines[0].get_ydata(), ROWS[1, :3] / 10)
    assert below.get_xscale() == "log" and below.get_xlabel().endswith("$N$")


@pytest.mark.parametrize("draw", [density.gap_map, density.scale_map])
def test_fig3_puts_sizes_across_and_epochs_upwards_without_the_start(draw):
    axes = drawn(draw, GAP, ONSETS).axes[0]
    mesh = axes.collections[0]
    np.testing.assert_array_equal(np.ma.filled(mesh.get_array(), nan), GAP[:, 1:].T)
    np.testing.assert_allclose(axes.lines[1].get_ydata(), ONSETS[1])
    assert axes.get_xscale() == axes.get_yscale() == "log" and "e_{mx}" in axes.get_ylabel()
    assert (np.diff(mesh.get_coordinates()[0, :, 0]) > 0).all()


@pytest.mark.parametrize("medians", [[30.0, 200, 800], [30.0, inf, 800], [inf] * 3])
def test_onsets_are_drawn_where_they_belong_and_infinite_ones_left_out(medians):
    onsets = xr.Dataset({name: ("ensemble", np.array(medians) * by) for name, by in (("median", 1), ("low", 0.5),
                                                                                     ("high", 2))})  # fmt: skip
    places = {"points": [5, 20, 80], "density": [0.1] * 3, "per_parameter": [0.2, 0.3, 0.4], "family": ["a", "a", "b"]}
    onsets = onsets.assign({name: ("ensemble", values) for name, values in places.items()})
    shown = np.where(np.isfinite(medians), medians, nan)
    three = drawn(density.onset_against, onsets).axes
    assert [axes.get_xlabel().split()[-1] for axes in three] == ["$N$", "$N/2^b$", "$N/P$"]
    np.testing.assert_allclose(three[0].containers[0].lines[0].get_ydata(), shown[:2])
    one = drawn(density.onset_over_sizes, {"mean": onsets.swap_dims(ensemble="points")}, "epochs").axes[0]
    np.testing.assert_allclose(one.containers[0].lines[0].get_data(), [[5, 20, 80], shown])
    assert one.get_xscale() == one.get_yscale() == "log"


def test_fig5_draws_the_chosen_eigenvectors():
    values, vectors = drawn(spectrum.spectrum_of_one_draw, DRAW, np.ones(3), [1, 3]).axes
    np.testing.assert_array_equal(values.lines[0].get_ydata(), [4, 2, 1])
    np.testing.assert_allclose(vectors.lines[1].get_ydata(), [-1, -1, -0.55])
    assert [label.get_text() for label in vectors.get_yticklabels()] == ["1", "3"]


def test_fig7_has_four_panels_with_the_given_groups_and_the_onset():
    convergent, jumping = np.array([[True, True, False, False], [False, False, False, True]])
    axes = drawn(variance_dynamics.groups, RUN, convergent, jumping, "00000000 1").axes
    assert [len(one.lines) - 1 for one in axes] == [2, 1, 4, 4]
    assert [one.get_ylabel() for one in axes] == [r"$\sigma$"] * 3 + [r"$\mu$"]
    np.testing.assert_allclose(axes[1].lines[0].get_ydata(), RUN.sigma[:, 3])
    assert axes[0].texts[0].get_text() == "00000000 1"


def test_toward_onset_counts_down_and_marks_the_bound():
    lagged = dataset(np.full((3, 2), 5.0), "x", member=[0, 1, 2], lag=[2, 1])
    lagged["x"].attrs["long_name"] = "some"
    axes = drawn(variance_dynamics.toward_onset, lagged, mark={"x": 2.0}).axes[0]
    assert axes.xaxis_inverted() and axes.get_title() == "some"
    np.testing.assert_allclose(axes.lines[1].get_ydata(), 2)


def test_curvature_and_rule_are_drawn_over_a_deviation_that_falls_to_the_right():
    sigma = np.array([0.01, 0.1, 1])
    figure = drawn(robust_losses.at_zero_error, {"a": sigma**-2}, {"a": sigma, "b": sigma**2}, sigma)
    above, below = figure.axes
    assert above.get_yscale() == above.get_xscale() == "log" and below.xaxis_inverted()
    assert above.lines[0].get_linestyle() == below.lines[0].get_linestyle() != below.lines[1].get_linestyle()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_onsets_are_bars_with_a_dot_and_arrows_where_training_ended_first():
    onsets = {"N = 5": {"a": np.arange(1.0, 12), "b": np.full(11, inf)}, "N = 20": {"a": np.full(11, 3.0)}}
    ends = {"N = 5": {"a": 100, "b": 50}, "N = 20": {"a": 100}}
    first, second = drawn(robust_losses.onset_ranges, onsets, ends).axes
    assert [list(line.get_xdata()) for line in first.lines] == [[2, 10], [6], [50, 50], [50]]
    assert [line.get_marker() for line in first.lines] == ["None", "o", "None", ">"]
    assert first.lines[3].get_ydata()[0] == 1 and second.get_title() == "N = 20"


def test_an_estimate_below_the_axis_is_a_triangle_at_its_border():
    alone, averaged = drawn(
        local_variance.against_truth, ROWS[0] / 20, {"a": np.array([1e-9, 0.1, 0.2, 0.3]), "b": ROWS[0] / 20}
    ).axes
    np.testing.assert_array_equal(alone.lines[0].get_ydata(), [nan, 0.1, 0.2, 0.3])
    x, y = alone.lines[1].get_data()
    assert x == [0.05] and y == [alone.get_ylim()[0]] and alone.lines[1].get_marker() == "v"
    assert len(averaged.lines) == 2 and "1 of 4 points are below" in alone.figure.get_label()


def test_intervals_stand_in_the_order_of_the_true_mean():
    truth = xr.Dataset({"mean": ("point", [0.6, 0.4]), "deviation": ("point", [0.1, 0.2]), "y": ("point", [0.7, 0.3])})
    one = xr.Dataset({"mu": ("point", [0.5, 0.45]), "sigma": ("point", [0.01, 0.02])})
    first, second = drawn(calibration.intervals, truth, {"early": one, "late": one}, 2.0).axes
    assert list(first.lines[0].get_ydata()) == [0.3, 0.7] and second.get_title() == "late"
    np.testing.assert_allclose(first.containers[0].lines[2][0].get_segments()[0][:, 1], [0.41, 0.49])


def test_coverage_against_the_error_runs_to_the_right():
    curve = dataset(CURVE / 4, "held_out", "squared_error", epoch=EPOCHS)
    (axes,) = drawn(calibration.against_error, {"a": curve}, 0.9, 1.5).axes
    np.testing.assert_allclose(axes.lines[0].get_data(), [curve.squared_error, curve.held_out])
    assert axes.xaxis_inverted() and list(axes.lines[2].get_xdata()) == [1.5, 1.5]


def test_each_share_diverged_is_a_line_at_its_own_places():
    first, second = array([0.0, 0.5, 1], epoch=[0, 10, 20]), array([0.0, 0.1], time=[0.0, 2.5])
    above, below = drawn(dropout.shares_diverged, {"a": {"x": first, "y": second}, "b": {"x": second}}, "epochs").axes
    np.testing.assert_allclose(above.lines[0].get_data(), [[0, 10, 20], [0, 0.5, 1]])
    np.testing.assert_allclose(above.lines[1].get_data(), [[0, 2.5], [0, 0.1]])
    assert above.lines[0].get_linestyle() != above.lines[1].get_linestyle() and below.get_xlabel() == "epochs"


@pytest.mark.parametrize("missing", [0, 1, 3])
def test_learning_times_are_drawn_and_the_theory_goes_through_the_densest(missing):
    times = np.array([[50.0, 30, 8], [60, 40, 10], [90, 60, 20]])
    times[:, :missing] = inf
    density = np.array([1, 4, 16])
    above, below = drawn(minor_modes.learning_times, density, {"a": times, "b": times / 7}, ["epochs", "tau"]).axes
    np.testing.assert_allclose(above.containers[0].lines[0].get_ydata(), np.where(np.isfinite(times[1]), times[1], nan))
    assert [axis.get_ylabel() for axis in (above, below)] == ["epochs", "tau"] and above.get_xscale() == "log"
    dashed = [line.get_ydata() for line in above.lines if line.get_linestyle() == "--"]
    np.testing.assert_allclose(dashed, [[160, 40, 10]] if missing < 3 else np.empty((0,)))


def test_variability_names_each_density():
    figure = drawn(minor_modes.variability, EPOCHS, ROWS[:, :3], np.array([1, 4, 0]))
    np.testing.assert_allclose(figure.axes[0].lines[2].get_ydata(), ROWS[:, 2])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["1 point", "4 points", "no data"]


def test_bars_add_up_to_all_networks_and_the_first_is_on_top():
    first, second = ({"trained": one, "untrained": 0.8 - one, "diverged": 0.2} for one in (0.5, 0.1))
    shares = {"one": first, "two": second}
    axes = drawn(bayes.what_becomes, shares).axes[0]
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches], [0.5, 0.1, 0.3, 0.7, 0.2, 0.2])
    np.testing.assert_allclose([bar.get_x() for bar in axes.patches[::2]], [0, 0.5, 0.8])
    assert axes.yaxis_inverted()


def test_the_predicted_variance_has_its_floor_in_its_own_colour():
    group = dataset([0.25, 0.1, 0], "squared_error", "predicted", epoch=[0, 1, 2])
    groups = {"free": group.assign(floor=0.0), "prior": group.assign(floor=0.09)}
    above, below = drawn(bayes.deviations_to_floor, groups).axes
    np.testing.assert_allclose(above.lines[0].get_ydata(), [0.25, 0.1, nan])
    (floor,) = below.lines[2:]
    assert floor.get_ydata()[0] == 0.09 and floor.get_color() == below.lines[1].get_color()


def test_models_and_the_network_keep_their_colours_in_both_panels():
    above, below = drawn(mean_field.models_over_epochs, {"network": CURVE, "law": 2 * CURVE}, {"law": CURVE / 10}).axes
    np.testing.assert_allclose(above.lines[1].get_ydata(), 2 * CURVE[1:])
    np.testing.assert_allclose(below.lines[0].get_ydata(), CURVE[1:] / 10)
    assert above.lines[1].get_color() == below.lines[0].get_color() != above.lines[0].get_color()


def test_a_model_worse_than_none_is_on_the_axis_and_in_words():
    share = CURVE.copy(data=[nan, -250, nan, 1])
    figure = drawn(mean_field.models_over_epochs, {"network": CURVE, "law": CURVE}, {"law": share})
    low, high = figure.axes[1].get_ylim()
    assert low < -250 and 1 < high < 2 and -250 in figure.axes[1].lines[0].get_ydata()
    assert {-100, -1, 0, 0.9} < {*figure.axes[1].get_yticks()}
    assert "-250 at its least and 1 at the end" in figure.get_label()


def test_on_a_map_points_stand_on_their_cells():
    outputs = array(np.arange(32.0)[None] / 31, epoch=[5], point=range(32))
    axes = drawn(mean_field.maps_of_inputs, {"net": outputs}, np.array([13, 30]), np.array([1, 0])).axes[0]
    for line, code in zip(axes.lines, (13, 30), strict=True):
        ((across,), (down,)) = line.get_data()
        np.testing.assert_allclose(axes.images[0].get_array()[int(down), int(across)], code / 31)
    assert axes.get_title() == "epoch 5" and axes.get_ylabel() == "net"


def test_neighbouring_cells_of_a_map_differ_by_one_bit():
    numbers = array(np.arange(32.0)[None], epoch=[1], point=range(32))
    axis = drawn(mean_field.maps_of_inputs, {"all": numbers}, np.array([5]), np.array([1])).axes[0]
    cells = np.asarray(axis.images[0].get_array()).astype(int)
    for first, second in ((cells[1:], cells[:-1]), (cells[:, 1:], cells[:, :-1])):
        assert (np.bitwise_count(first ^ second) == 1).all()
    ((across, down),) = axis.lines[0].get_xydata().astype(int)
    assert sorted(cells.ravel()) == list(range(32)) and cells[down, across] == 5


def test_plasticity_marks_the_new_and_counts_those_that_do_not_learn():
    above, below = drawn(plasticity.learning_anew, {"net": TIMES}, 50).axes
    np.testing.assert_allclose(above.lines[0].get_ydata(), [7, 3, nan])
    np.testing.assert_allclose(below.lines[0].get_ydata(), [0, 0, 2 / 3])
    assert [label.get_text() for label in below.get_xticklabels()] == ["new", "10", "1000"]
    assert (np.diff(below.lines[0].get_xdata()) > 0).all()


def test_speeds_have_a_guide_of_the_given_slope():
    speeds, numbers = drawn(plasticity.what_ages, {"a": SPEEDS}, {"a": 2 * SPEEDS}, -1).axes
    np.testing.assert_allclose(numbers.lines[0].get_ydata(), [10, 8, 3])
    guide = speeds.lines[-1].get_data()
    np.testing.assert_allclose(guide[0] * guide[1], guide[0][0] * guide[1][0])
    assert speeds.get_yscale() == "log"


@pytest.mark.filterwarnings("ignore:All-NaN slice")
def test_a_quartile_of_a_speed_that_is_not_positive_is_on_the_axis():
    lowered = SPEEDS - 2.5
    axis = drawn(plasticity.what_ages, {"a": lowered}, {"a": SPEEDS}, -1).axes[0]
    assert axis.get_yscale() == "symlog" and axis.get_ylim()[0] < lowered.min()
    assert "no number" in plasticity.what_ages({"a": SPEEDS * nan}, {"a": SPEEDS * nan}, -1).get_label()
    plt.close("all")


def test_a_second_task_that_is_not_learnt_is_said():
    words = drawn(plasticity.learning_anew, {"net": TIMES}, 50).get_label()
    assert "7 at age 0 and not within the training at age 1000, where the share that does not is 0.67" in words


def test_response_sizes_have_a_guide_of_the_given_slope():
    given = dataset([0.5, 1, 2, 0], "elu", "relu", epoch=EPOCHS)
    above, below = drawn(one_hidden_layer.response_sizes, {"a": given, "b": given}, 2.0).axes
    np.testing.assert_allclose(above.lines[0].get_ydata(), [1, 2, nan])
    x, y = above.lines[2].get_data()
    assert np.log(y[1] / y[0]) / np.log(x[1] / x[0]) == pytest.approx(-2)
    assert len(below.lines) == 2 and above.get_xscale() == above.get_yscale() == "log"


def test_factors_are_relative_to_their_start_and_the_stages_begin_where_they_do():
    (axes,) = drawn(one_hidden_layer.factors_in_training, {"a": TRAINED}).axes
    np.testing.assert_allclose(axes.lines[1].get_ydata(), TRAINED["head"][1:] / TRAINED["head"][0])
    assert [line.get_xdata()[0] for line in axes.lines[5:]] == [1, 10, 100]
    assert [text.get_text() for text in axes.texts] == ["start", "fall", "plateau"]


def test_a_negative_factor_is_drawn_and_levels_are_marked():
    above, below = drawn(one_hidden_layer.method_factors, FACTORS, {"N": 16.0}).axes
    np.testing.assert_array_equal(above.lines[0].get_data(), [[1, 2, 11], [1, -1.5, 2]])
    np.testing.assert_array_equal(below.lines[0].get_ydata(), [1, -0.5, 1])
    assert above.lines[1].get_ydata()[0] == 16 and below.get_ylim()[0] < -0.5
    assert above.get_ylim()[0] < -1.5 and "smallest is -1.5" in above.figure.get_label()


def test_the_dimension_has_three_clocks():
    run = dataset(CURVE, "dimension", "loss", "step", epoch=EPOCHS)
    by_epoch, by_step, by_loss = drawn(feature_space.dimension_in_training, {"a": run}).axes
    np.testing.assert_allclose(by_epoch.lines[0].get_data(), [EPOCHS[1:], run.dimension[1:]])
    np.testing.assert_allclose(by_step.lines[0].get_xdata(), run.step[1:])
    np.testing.assert_allclose(by_loss.lines[0].get_xdata(), run.loss)
    assert by_loss.xaxis_inverted() and by_loss.get_xscale() == "log"


def test_each_member_is_a_point():
    group = dataset([1.0, 2, 4], "dimension", "distance", "flip_response", member=[0, 1, 2])
    above, below = drawn(feature_space.fragility_over_dimension, {"a": group}).axes
    np.testing.assert_allclose(above.lines[0].get_data(), [group.dimension, group.distance])
    np.testing.assert_allclose(below.lines[0].get_data(), [group.dimension, group.flip_response])
    assert above.lines[0].get_linestyle() == "None"


def test_ratios_have_intervals_and_a_line_at_one():
    axes = drawn(feature_space.ratios_at_equal_loss, {"a": RATIOS}).axes
    for axis, row in zip(axes, RATIOS.estimate.values, strict=True):
        assert axis.lines[0].get_ydata()[0] == 1
        np.testing.assert_allclose(axis.lines[1].get_ydata(), row)
        np.testing.assert_allclose(axis.collections[0].get_segments()[0][:, 1], [row[0] - 1, row[0] + 1])
    assert axes[2].xaxis_inverted() and [t.get_text() for t in axes[2].get_xticklabels()] == ["0.01", "0.1"]


def test_cost_over_points_draws_medians_in_the_models_unit():
    loop = xr.DataArray([2e-3], coords={"points": [20]})
    (axes,) = drawn(cost.cost_over_points, timed(1, 20), timed(1, 2, 256), {"loop": loop}, 1e-9).axes
    assert axes.get_xscale() == axes.get_yscale() == "log" and "$N$" in axes.get_xlabel()
    for line in axes.containers[0].lines[0], next(line for line in axes.lines if line.get_linestyle() == "-"):
        np.testing.assert_allclose(line.get_ydata(), [100, 2000])
    assert {text.get_text() for text in axes.get_legend().get_texts()} == {"loop", "every window", "distinct windows"}


def test_settings_share_the_axis_of_cost_and_wide_ones_are_logarithmic():
    axes = drawn(cost.cost_over_settings, {"members": timed(1, 16, 128), "bits": timed(4, 8)}, 1e-9).axes
    assert [one.get_xlabel() for one in axes] == ["members $M$", "bits $b$"]
    assert [one.get_xscale() for one in axes] == ["log", "linear"] and axes[0].get_ylim() == axes[1].get_ylim()


def test_eq20_averages_that_move_are_a_line_between_points_and_markers_at_the_points_alone():
    own = ("alpha", "point"), [[0.25, 0.75], [0.5, 0.5], [1.0, 0.9]]
    line, strings = (
        xr.Dataset(
            {"y": ("point", [0.0, 1]), "own": own, "average": (("alpha", "place"), ROWS[:3, :count] / 16)},
            {"x": ("point", [0.0, 8]), "alpha": [0.0, 0.5, 20], "place": np.linspace(0, 8, count)},
        )
        for count in (4, 2)
    )
    figure = scale.averages_over_scales({"on a line": line, "on bit strings": strings})
    assert list(figure.values) == [f"{alpha:g} per unit of distance" for alpha in (0, 0.5, 20)]
    for panel, one, markers in zip(figure.panels, (line, strings), (False, True), strict=True):
        average, targets = panel.curves
        np.testing.assert_array_equal(average.at(2), [one.place, one.average[2]])
        np.testing.assert_array_equal(targets.at(1), [one.x, one.y])
        assert average.markers is markers and targets.markers
    assert figure.said[0].replace("\N{NO-BREAK SPACE}", " ") == (
        "A point's own target weighs 50 % on a line (averages from 0.06 to 0.25) and 50 % on bit strings "
        "(averages from 0.06 to 0.12)."
    )
    assert figure.said[2].count("95") == 2


def test_fig5_modes_that_move_are_those_of_the_ranks():
    draw = xr.Dataset(
        {name: (("mode", "point"), ROWS / k) for k, name in enumerate(("eigenvector", "learnt"), 1)}
        | dict.fromkeys(("eigenvalue", "participation", "left"), ("mode", ROWS[:, 0] / 20)),
        {"mode": [1, 2, 3, 4], "x": ("point", [0.1, 0.2, 0.5, 0.9])},
    )
    figure = spectrum.modes_of_a_kernel(draw, array([0, 1, 1, 0], point=range(4)), [1, 3, 4])
    vectors, outputs = figure.panels
    np.testing.assert_array_equal(vectors.curves[1].at(1), [draw.x, ROWS[2]])
    np.testing.assert_array_equal(outputs.curves[0].at(2), [draw.x, ROWS[3] / 2])
    assert figure.values[1] == "rank 3"
    assert "Of 4 modes this one has the eigenvalue 0.45" in figure.said[1]
    assert "45\N{NO-BREAK SPACE}% of the squared error" in figure.said[1]


def test_eq20_weights_that_move_pass_the_average_where_they_are_nearest():
    times = {"time": [0.1, 1, 10, 1000], "point": range(4)}
    weights = xr.Dataset({"row": (("time", "point"), ROWS / 16), "average": ("point", [0.25] * 4)}, times)
    weights["total"] = "time", [0.1, 0.5, 0.9, 1]
    far = {"Eq. (20)": ("time", [0.9, 0.2, 0.1, 1.5]), "the identity": ("time", [1, 1.5, 0.5, 0])}
    figure = balance.weights_over_times(weights, xr.Dataset(far, {"time": times["time"]}), "Kt")
    row, distances = figure.panels
    np.testing.assert_array_equal(row.curves[0].y, ROWS / 16)
    assert {tuple(curve.x) for curve in distances.curves if curve.label == "passage of Eq. (20)"} == {(10, 10)}
    here = [curve for curve in distances.curves if curve.label == "this time"]
    assert [curve.at(1)[1].tolist() for curve in here] == [[0.2], [1.5]]
    assert figure.said[1] == "The weights in an output sum to 0.50; they are 0.2 from Eq. (20), 1.5 from the identity."
    assert figure.start == 2 and [k for k in range(4) if "no other frame" in figure.said[k]] == [2]
    assert figure.values[3] == "Kt = 1000"


@pytest.mark.parametrize("jumps", [False, True])
def test_fig1_trajectories_that_move_end_at_the_onset_unless_jumps_are_wanted(jumps):
    figure = one_point.trajectories_by_epoch({"a head": PATHS}, FIELD, [0, 1, 100], jumps=jumps)
    (panel,) = figure.panels
    field, trails = panel.curves
    np.testing.assert_array_equal(trails.y.ravel(), [1.5, 1.3, 1 if jumps else nan])
    np.testing.assert_array_equal(trails.x.ravel(), [0.5, 0.3, 0 if jumps else nan])
    assert trails.trail and figure.values[2] == "epoch 100" and not field.label
    assert figure.said[0] == "Before the onset: 1 of 1 networks (a head) with the median σ 1.5."
    assert figure.said[2] == "Before the onset: 0 of 1 networks (a head)."


def test_arrows_behind_trajectories_point_along_the_field():
    (panel,) = one_point.trajectories_by_epoch({"a": PATHS}, FIELD, [0, 1]).panels
    tails, heads = (np.stack(panel.curves[0].at(0))[:, k::6] for k in (0, 1))
    np.testing.assert_allclose((heads - tails).T / np.hypot(*(heads - tails))[:, None], [[0.6, -0.8]] * 4)
    np.testing.assert_allclose((heads + tails).T / 2, [[0.1, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.9]])


def test_fig3_onsets_that_move_are_those_of_the_size():
    gap = array(np.where(ROWS[:2] == 4, nan, ROWS[:2] / 16), points=[2, 20], epoch=EPOCHS)
    onset = array([[100.0, inf], [10, inf], [1, 7]], member=[0, 1, 2], points=[2, 20])
    figure = density.onsets_by_size(gap, onset)
    sizes, one = figure.panels
    half, members = sizes.curves
    np.testing.assert_array_equal(half.y, [10, nan])
    np.testing.assert_array_equal(members.y, [[1, 10, 100], [7, nan, nan]])
    np.testing.assert_allclose(members.x, np.array([[2], [20]]) * np.ones(3), rtol=0.12)
    assert list(sizes.follows) == [2, 20] and sizes.cells.values.shape == (3, 2)
    np.testing.assert_allclose(one.curves[0].y, [[1 / 3, 2 / 3, 1], [0, 1 / 3, 1 / 3]])
    np.testing.assert_allclose(one.curves[1].y[1], gap[1, 1:])
    assert figure.values == ["N = 2", "N = 20"] and figure.said == [
        "3 of 3 members have their onset by epoch 100: the first at 1, half of all by 10, the last at 100.",
        "1 of 3 members have their onset by epoch 100: the first at 7, the last at 7.",
    ]
