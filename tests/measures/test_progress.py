"""How far a training has come: stages, quantities at equal loss, and times to learn on cases known by hand."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from kbe.measures import progress

RATES = np.array([0.01, 0.002])
EPOCHS = np.arange(2001)
DECAY = -3 * np.exp(-EPOCHS * RATES[:, None])  # of either sign


def test_the_time_to_learn_an_exponential_is_the_logarithm_over_its_rate():
    np.testing.assert_allclose(progress.time_to_learn(DECAY, EPOCHS), np.log(2) / RATES, rtol=1e-4)
    found = progress.time_to_learn(DECAY.T[None], EPOCHS, 0.1, axis=-2)
    np.testing.assert_allclose(found, [np.log(10) / RATES], rtol=1e-4)


def test_the_time_to_learn_may_be_that_of_another_start_or_a_recorded_epoch():
    found = progress.time_to_learn(DECAY, EPOCHS, start=4)
    np.testing.assert_allclose(found, np.log(3 / 2) / RATES, rtol=1e-4)
    labelled = xr.DataArray(
        [[0.3, 0.2, 0.1], [0.3, 0.3, 0.2], [0.1, 0.5, 0.5]], dims=("member", "epoch"), coords={"member": [5, 6, 7]}
    )
    found = labelled.reduce(progress.time_to_learn, "epoch", epochs=[0, 7, 20], start=0.25, interpolate=False)
    assert found.values.tolist() == [20, np.inf, 0] and found.member.values.tolist() == [5, 6, 7]
    assert progress.time_to_learn(labelled, [0, 7, 20], start=0.25).tolist() == [16.75, np.inf, 0]


def test_what_is_never_learnt_takes_for_ever():
    error = [[1.0, 0.6], [0.0, 0.0], [1.0, np.nan]]
    assert np.isinf(progress.time_to_learn(error, [0, 1])).all()


def test_stages_by_hand():
    found = list(progress.stages([1.0, 0.95, 0.875, 0.5, 0.6, 0.05, 0.0]))
    assert found == ["start"] * 2 + ["fall"] * 3 + ["plateau"] * 2
    assert list(progress.stages([1.0, 1.0, 1.0])) == ["start"] * 3
    assert list(progress.stages([1.0, np.nan, np.inf, 0.0])) == ["start"] * 3 + ["plateau"]
    assert list(progress.stages([1.0, 0.75, 0.0], 0.25, 0.5)) == ["start", "fall", "plateau"]
    assert list(progress.stages([1.0, 1.5, 0.0], 0.25, 0.5)) == ["start", "start", "plateau"]


def test_a_quantity_at_equal_loss_by_hand():
    loss = np.array([[1.0, 0.5, 0.125], [1.0, 0.9, 0.8], [1.0, np.nan, 0.25]])
    values = np.array([[0.0, 10, 20], [1.0, 2, 3], [1.0, 2, 3]])
    found = progress.at_losses(loss, values, [0.5, 0.25, 0.125, 0.01])
    np.testing.assert_allclose(found[0], [10, 15, 20, np.nan])  # a quarter is half way on the logarithm
    assert np.isnan(found[1:]).all()
    assert np.isnan(progress.at_losses(loss, values, [2.0])).all()  # reached from the start: no way there was seen


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: progress.time_to_learn(np.ones((2, 3)), [0, 1]), "error"),
        (lambda: progress.time_to_learn(np.ones((2, 2)), [0, 1], 1.5), "level"),
        (lambda: progress.time_to_learn(np.ones((2, 2)), [1, 0]), "epochs"),
        (lambda: progress.time_to_learn(np.ones((2, 2)), [0, 1], start=0), "start"),
        (lambda: progress.stages([np.nan]), "loss"),
        (lambda: progress.stages([1.0], 0.9, 0.1), "begins"),
        (lambda: progress.stages([1.0], -0.1), "begins"),
        (lambda: progress.stages([1.0], 0.1, 1.5), "ends"),
        (lambda: progress.at_losses(np.ones((1, 2)), np.ones((1, 2)), [0.0]), "levels"),
        (lambda: progress.at_losses(np.ones((2, 2)), np.ones((1, 2)), [0.5]), "values"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, word):
    with pytest.raises(ValueError, match=f"^{word}"):
        call()
