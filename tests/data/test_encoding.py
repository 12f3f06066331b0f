"""The random bit encoding of section II."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kbe.data.encoding import all_inputs, hamming_distance, in_order, indices, member_generator, random_encoding

FEW = settings(max_examples=25, deadline=None)


def test_all_inputs_count_in_binary():
    np.testing.assert_array_equal(all_inputs(2), [[0, 0], [0, 1], [1, 0], [1, 1]])
    for bits in range(1, 11):
        spelled = ["".join(str(int(bit)) for bit in row) for row in all_inputs(bits)]
        assert spelled == [f"{number:0{bits}b}" for number in range(2**bits)]


def test_indices_are_the_places_among_all_inputs():
    for bits in range(1, 11):
        np.testing.assert_array_equal(indices(all_inputs(bits)), np.arange(2**bits))
    np.testing.assert_array_equal(indices([[[0, 1], [1, 0]], [[1, 1], [0, 0]]]), [[1, 2], [3, 0]])


def test_values_are_put_in_order():
    data = random_encoding(16, 4, 3, seed=4)
    spelt = data.x.to_numpy() @ [8, 4, 2, 1]
    np.testing.assert_array_equal(in_order(spelt, data.x), np.broadcast_to(np.arange(16), (3, 16)))
    ordered = in_order(np.stack([spelt, 2 * spelt], 1), data.x)
    np.testing.assert_array_equal(ordered, np.broadcast_to(np.arange(16) * np.array([[1], [2]]), (3, 2, 16)))


def test_the_same_arguments_give_the_same_data_and_another_seed_gives_others():
    xr.testing.assert_identical(random_encoding(20, members=3, seed=5), random_encoding(20, members=3, seed=5))
    first, second = random_encoding(20, seed=5), random_encoding(20, seed=6)
    assert not first["x"].equals(second["x"])
    assert not first["y"].equals(second["y"])


@FEW
@given(points=st.integers(1, 32), more=st.integers(0, 16), repeat=st.booleans(), seed=st.integers(0, 2**40))
def test_a_smaller_data_set_is_the_start_of_a_larger_one(points, more, repeat, seed):
    larger = min(points + more, 32)
    small, large = (random_encoding(n, 5, 2, repeat=repeat, seed=seed) for n in (points, larger))
    for name in ("x", "y"):
        np.testing.assert_array_equal(small[name], large[name][:, :points])


@FEW
@given(members=st.integers(1, 6), repeat=st.booleans())
def test_a_member_s_data_do_not_depend_on_the_members_beside_it(members, repeat):
    few, many = random_encoding(10, 6, members, repeat=repeat), random_encoding(10, 6, 8, repeat=repeat)
    for name in ("x", "y"):
        np.testing.assert_array_equal(few[name], many[name][:members])


def test_members_differ():
    data = random_encoding(20, members=10)
    for name in ("x", "y"):
        assert len({data[name][member].values.tobytes() for member in range(10)}) == 10


@pytest.mark.parametrize("points", [1, 17, 32])
def test_no_input_is_drawn_twice(points):
    for member in indices(random_encoding(points, 5, 20)["x"].to_numpy()):
        assert len(set(member)) == points


def test_all_points_are_all_inputs_in_some_order():
    x = random_encoding(256, 8)["x"][0].to_numpy()
    assert sorted(indices(x)) == list(range(256))
    assert not np.array_equal(x, all_inputs(8))


def test_with_repetition_inputs_do_repeat_and_may_be_more_than_there_are():
    drawn = indices(random_encoding(100, 3, 2, repeat=True)["x"].to_numpy())
    assert all(len(set(member)) <= 8 for member in drawn)


@pytest.mark.parametrize("repeat", [False, True])
def test_inputs_and_targets_are_uniform_and_independent(repeat):
    data = random_encoding(4, 3, 4000, repeat=repeat, seed=1)
    code, y = indices(data["x"].to_numpy())[:, 0], data["y"].to_numpy()[:, 0]
    table = np.histogram2d(code, y, (8, 2))[0]
    assert stats.chisquare(table.ravel()).pvalue > 1e-3
    assert stats.chi2_contingency(table).pvalue > 1e-3


def test_the_dataset_names_its_dimensions_and_keeps_its_arguments():
    data = random_encoding(5, 4, 3, seed=7)
    assert data["x"].dims == ("member", "point", "bit")
    assert data["x"].shape == (3, 5, 4)
    assert data["y"].dims == ("member", "point")
    assert data.attrs == {"points": 5, "bits": 4, "members": 3, "repeat": 0, "seed": 7}
    assert data["x"].dtype == data["y"].dtype == np.float64
    assert set(np.unique(data["x"])) == set(np.unique(data["y"])) == {0, 1}


@pytest.mark.parametrize("bits", [1, 3, 7])
def test_hamming_distance_is_the_population_count_of_xor(bits):
    x = all_inputs(bits)
    numbers = np.arange(2**bits)
    np.testing.assert_array_equal(hamming_distance(x, x), np.bitwise_count(numbers[:, None] ^ numbers))


def test_hamming_distance_is_the_squared_euclidean_one_and_a_metric():
    first, second = all_inputs(5)[:9], all_inputs(5)[4:]
    distance = hamming_distance(first, second)
    assert distance.shape == (9, 28)
    np.testing.assert_array_equal(distance, ((first[:, None] - second) ** 2).sum(-1))
    members = hamming_distance(np.stack([first, 1 - first]), np.stack([second, second]))
    np.testing.assert_array_equal(members, np.stack([distance, 5 - distance]))
    whole = hamming_distance(all_inputs(4), all_inputs(4))
    assert (whole[:, :, None] <= whole[:, None, :] + whole[None, :, :].swapaxes(1, 2)).all()


def test_streams_of_a_member_are_independent_of_each_other():
    draws = {
        member_generator(seed, member, stream).integers(2**62)
        for seed in range(3)
        for member in range(3)
        for stream in ("inputs", "targets", "weights", "batches")
    }
    assert len(draws) == 36


@FEW
@given(bits=st.one_of(st.integers(max_value=0), st.integers(21), st.floats(), st.text(max_size=3)))
def test_bad_bits(bits):
    for call in (lambda: all_inputs(bits), lambda: random_encoding(1, bits)):
        with pytest.raises(ValueError, match="bits is"):
            call()


@FEW
@given(bits=st.integers(1, 8), excess=st.integers(1, 100))
def test_more_points_than_inputs_need_repetition(bits, excess):
    with pytest.raises(ValueError, match=f"points is {2**bits + excess}: it must be at most {2**bits} "):
        random_encoding(2**bits + excess, bits)
    assert random_encoding(2**bits + excess, bits, repeat=True).sizes["point"] == 2**bits + excess


@FEW
@given(value=st.one_of(st.integers(max_value=-1), st.floats(), st.none(), st.booleans()))
def test_bad_counts_and_seeds(value):
    for name in ("points", "members", "seed"):
        with pytest.raises(ValueError, match=f"{name} is"):
            random_encoding(**({"points": 4} | {name: value}))
    for name in ("seed", "member"):
        with pytest.raises(ValueError, match=f"{name} is"):
            member_generator(**({"seed": 0, "member": 0, "stream": "inputs"} | {name: value}))


@pytest.mark.parametrize("bad", [[], [0, 1], [[0, 2]], [[0.5, 1]], [[0, np.nan]], [["0", "1"]], [[0], [0, 1]]])
def test_bad_bit_strings(bad):
    with pytest.raises(ValueError, match="first"):
        hamming_distance(bad, [[0, 1]])
    with pytest.raises(ValueError, match="second"):
        hamming_distance([[0, 1]], bad)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: member_generator(0, 0, "labels"), "stream is 'labels'"),
        (lambda: hamming_distance([[0, 1]], [[0, 1, 1]]), "second has shape"),
        (lambda: in_order([[0.0, 0]], [[[0], [0]]]), "inputs has shape"),
        (lambda: in_order([[0.0]], [[[0]]]), "inputs has shape"),
        (lambda: in_order(np.zeros((2, 2)), [[[0], [1]]]), "values has shape"),
        (lambda: in_order(np.zeros(2), [[[0], [1]]]), "values has shape"),
        (lambda: in_order(np.zeros((1, 4)), [[[0], [1]]]), "inputs has shape"),
        *[(lambda bad=bad: random_encoding(3, 4, repeat=bad), "repeat is") for bad in (None, "no", [], np.ones(2))],
    ],
)
def test_what_does_not_fit_is_refused(call, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        call()
