"""The aging law t^-a K(d), equation 5."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from kbe.response.aging import fit_aging

EPOCHS = np.unique(np.geomspace(1, 2000, 16).round())
KERNEL = np.exp(-0.3 * np.arange(5))


def aged(decay: np.ndarray, members: int = 1, spread: float = 0.0, seed: int = 0) -> xr.Dataset:
    """Responses decay(t) K(d), each member with a factor and each entry with noise of its own."""
    generator = np.random.default_rng(seed)
    factors = generator.lognormal(0, spread, (members, 1, 1))
    noise = generator.lognormal(0, spread / 2, (members, len(EPOCHS), len(KERNEL)))
    values = factors * noise * decay[:, None] * KERNEL
    return xr.Dataset(
        {"mean": (("member", "epoch", "distance"), values)},
        coords={"epoch": EPOCHS, "distance": np.arange(len(KERNEL))},
    )


@pytest.mark.parametrize("exponent", [-0.5, 0.0, 0.3, 1.0, 2.5])
@pytest.mark.parametrize("weighting", ["relative", "absolute"])
def test_eq5_fit_finds_the_exponent_and_the_profile_exactly(exponent, weighting):
    fit = fit_aging(aged(3 * EPOCHS**-exponent), weighting=weighting).sel(law="power")
    assert abs(fit["rate"] - exponent) < 1e-6
    np.testing.assert_allclose(fit["profile"], 3 * KERNEL, rtol=1e-5)
    if exponent:
        assert fit["r_squared"] > 1 - 1e-9


def test_eq5_profile_is_the_kernel_at_time_one_for_any_window():
    profile = aged(3 * EPOCHS**-0.8)
    for window in [(1, 100), (50, 2000), (200, 900)]:
        fit = fit_aging(profile, window).sel(law="power")
        np.testing.assert_allclose(fit["profile"], 3 * KERNEL, rtol=1e-5)
        assert abs(fit["rate"] - 0.8) < 1e-6


def test_eq5_exponential_alternative_is_found_and_preferred_where_it_is_true():
    fit = fit_aging(aged(np.exp(-EPOCHS / 500), members=20, spread=0.2), resamples=50)
    assert abs(fit["rate"].sel(law="exponential") * 500 - 1) < 0.1
    assert fit["preferred"].sel(law="exponential") > 0.9
    assert fit["error"].idxmin() == "exponential"


def test_eq5_power_law_is_preferred_where_it_is_true():
    fit = fit_aging(aged(EPOCHS**-0.4, members=20, spread=0.2), resamples=50)
    assert abs(fit["rate"].sel(law="power") - 0.4) < 0.05
    assert fit["preferred"].sel(law="power") > 0.9
    assert fit["error"].idxmin() == "power"
    assert fit["r_squared"].sel(law="constant") == 0


def test_eq5_a_kernel_that_does_not_age_has_an_exponent_of_zero():
    fit = fit_aging(aged(np.ones(len(EPOCHS)), members=20, spread=0.2), resamples=100).sel(law="power")
    assert fit["rate_low"] < 0 < fit["rate_high"]
    assert fit["rate_high"] - fit["rate_low"] < 0.1
    assert fit["preferred"] < 0.6


def test_eq5_bootstrap_interval_covers_the_exponent():
    covered = 0
    for seed in range(40):
        fit = fit_aging(aged(EPOCHS**-0.4, 15, 0.3, seed), resamples=40, center="mean", level=0.9).sel(law="power")
        covered += bool(fit["rate_low"] < 0.4 < fit["rate_high"])
    assert 28 <= covered <= 40  # a true 0.85 falls below 28 of 40 once in 130 times; the seeds are fixed


def test_eq5_offset_shifts_the_clock():
    fit = fit_aging(aged((EPOCHS + 30) ** -0.6), offset=30).sel(law="power")
    assert abs(fit["rate"] - 0.6) < 1e-6
    assert abs(fit_aging(aged((EPOCHS + 30) ** -0.6)).sel(law="power")["rate"] - 0.6) > 0.05


def test_time_zero_is_left_out_because_the_law_has_no_value_there():
    profile = aged(EPOCHS**-0.5)
    start = profile.isel(epoch=[0]).assign_coords(epoch=[0.0]) * 1000
    fit = fit_aging(xr.concat([start, profile], "epoch"))
    assert abs(fit["rate"].sel(law="power") - 0.5) < 1e-6
    assert fit.attrs["window"] == [1, 2000]


def test_members_that_blew_up_are_left_out_and_counted():
    profile = aged(EPOCHS**-0.5, members=6, spread=0.1)
    broken = profile.copy(deep=True)
    broken["mean"][2, -1, 3] = np.nan
    fit = fit_aging(broken, resamples=5)
    assert (fit.attrs["members"], fit.attrs["left_out"]) == (5, 1)
    xr.testing.assert_allclose(fit, fit_aging(profile.isel(member=[0, 1, 3, 4, 5]), resamples=5))


def test_one_member_has_no_interval():
    fit = fit_aging(aged(EPOCHS**-0.5))
    for name in ("rate_low", "rate_high", "error", "preferred"):
        assert np.isnan(fit[name]).all()


def test_the_same_seed_gives_the_same_interval():
    profile = aged(EPOCHS**-0.5, members=6, spread=0.1)
    first, again, other = (fit_aging(profile, resamples=20, seed=seed) for seed in (1, 1, 2))
    xr.testing.assert_identical(first, again)
    assert first["rate_low"].sel(law="power") != other["rate_low"].sel(law="power")


def test_steep_growth_and_late_windows_stay_finite():
    profile = aged(EPOCHS**-0.5).assign_coords(epoch=EPOCHS + 1e6)
    assert np.isfinite(fit_aging(profile)["profile"].sel(law=["exponential", "constant"])).all()
    assert np.isfinite(fit_aging(aged(np.exp(EPOCHS / 10)))["rate"]).all()


PROFILE = aged(EPOCHS**-0.5)


@pytest.mark.parametrize(
    "argument",
    [
        {"window": (10, 1)},
        {"window": (1, np.nan)},
        {"window": (1, 2, 3)},
        {"window": "late"},
        {"window": (1, 2)},
        {"offset": np.inf},
        {"center": "mode"},
        {"weighting": "none"},
        {"resamples": 0},
        {"resamples": 1.5},
        {"level": 1.0},
        {"level": 0},
        {"seed": -1},
    ],
)
def test_bad_arguments_are_refused(argument):
    with pytest.raises(ValueError, match=next(iter(argument))):
        fit_aging(PROFILE, **argument)


@pytest.mark.parametrize(
    "bad", [None, PROFILE["mean"], PROFILE.isel(member=0), PROFILE.rename(mean="response"), PROFILE * np.nan]
)
def test_bad_profiles_are_refused(bad):
    with pytest.raises(ValueError, match=r"profile(\.mean)? (lacks|must be|has) .*\."):
        fit_aging(bad)
