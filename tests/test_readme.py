"""What README and the page on reading show as Python runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kbe.book import parameters, report
from kbe.book.claims import FAILS, HOLDS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "book" / "reading.md"]
SHOWN = [(page, code) for page in PAGES for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)]


@pytest.mark.parametrize(("page", "code"), SHOWN, ids=[f"{page.stem}-{k}" for k, (page, _) in enumerate(SHOWN)])
def test_code_that_is_shown_runs(page, code):
    exec(compile(code, str(page), "exec"), {})


def test_files_that_readme_names_are_there():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target


# What README says in short, sentence by sentence, with the claims on which each rests and their verdicts.
SAID = {
    "The instability is real, sharp, and comes for every size of the data set; more data postpone it.": [
        ("density:no-stable-size", HOLDS), ("density:sharp-in-epochs", HOLDS), ("density:sharp-in-size", HOLDS),
        ("density:sparser-sooner", HOLDS)],
    "What counts is the number of points, not their density, and that is because the loss is a mean over points: "
    "with the sum that the paper prints, the onset hardly depends on the size.": [
        ("density:density-decides", FAILS), ("density:sparser-sooner", HOLDS), ("density:sparser-sooner-sum", FAILS)],
    "With a constant kernel that is positive definite, some standard deviation reaches zero in finite time, "
    "unless every input repeats with different targets: an exact law, in [errata](book/errata.md), bounds the "
    "time.": [
        ("variance_dynamics:flow-reaches-zero", HOLDS)],
    "Networks become unstable some epochs after the learning rate times the curvature has crossed 2, before any "
    "standard deviation is zero: a floor of 0.01 under it saves a single point and no data set.": [
        ("variance_dynamics:onset-after-crossing", HOLDS), ("variance_dynamics:floor-prevents", FAILS),
        ("one_point:floor-prevents", HOLDS)],
    "The scale of averaging does shrink.": [("scale:grows", HOLDS), ("scale:reduced", HOLDS)],
    "The kernel-balanced equation itself holds in passing only.": [
        ("balance:reaches-average", HOLDS), ("balance:stays-at-average", FAILS)],
    "Over the training the response kernel keeps neither its size nor its shape.": [
        ("training_response:average-size-kept", FAILS), ("training_response:average-shape-kept", FAILS)],
    "On the paper's coin flips neither a Laplace nor a Student t distribution prevents the instability.": [
        ("robust_losses:laplace-insufficient", HOLDS), ("robust_losses:student-t-cures", FAILS)],
    "On data with noise both do: almost no network becomes unstable.": [
        ("calibration:laplace-insufficient", FAILS), ("calibration:student-t-cures", HOLDS)],
    "A loss that is weighted by the variance helps on the coin flips.": [("robust_losses:beta-one-cures", HOLDS)],
    "The variance of the data cannot be read off two epochs of one network, not even with an average over "
    "neighbours.": [
        ("local_variance:single-residual-small", FAILS), ("local_variance:single-residual-large", FAILS),
        ("local_variance:averaged-residual", FAILS)],
    "The averaged square of output minus target does tell it, though a variance head that is trained slowly does "
    "better.": [("local_variance:averaged-with-targets", HOLDS), ("local_variance:slow-head-worse", FAILS)],
    "Drop-out does not prevent the instability behind a sigmoid mean, where its spread vanishes with the error; "
    "behind a linear one most networks stay stable for the time tried, if the step is small.": [
        ("dropout:prevents-sigmoid", FAILS), ("dropout:sigmoid-collapses", HOLDS), ("dropout:prevents-linear", HOLDS),
        ("dropout:step-helps-linear", HOLDS)],
    "The companions' power law of the response is one of the saturated sigmoid head, with the exponents 1, 1/2 "
    "and 0 for the root mean square over pairs of two, one and no trained inputs; so is the loss of plasticity.": [
        ("response_law:power-law-aged", HOLDS), ("response_law:linear-no-aging", HOLDS),
        ("response_law:exponent-both-trained", HOLDS), ("response_law:exponent-one-trained", HOLDS),
        ("response_law:exponent-both-unseen", HOLDS), ("plasticity:plasticity-lost", HOLDS),
        ("plasticity:linear-loses-plasticity", FAILS)],
}  # fmt: skip


def test_each_sentence_that_readme_says_in_short_is_held():
    listed = re.search(r"\nWhat came out.*?\n\n(.*?)\n\n", (ROOT / "README.md").read_text(), re.DOTALL)
    assert listed and " ".join(re.sub(r"^- ", "", listed[1], flags=re.M).split()) == " ".join(SAID)


@pytest.mark.parametrize("sentence", SAID)
def test_what_readme_says_in_short_has_the_verdicts_that_it_rests_on(sentence):
    for name, verdict in SAID[sentence]:
        page, _, claim = name.partition(":")
        found = {one.claim.name: one.verdict for one in report.stored(ROOT / "book" / f"{page}.ipynb")}
        assert found[claim] == verdict, name


def test_readme_says_of_its_map_how_many_networks_and_sizes_it_has():
    given = {one.name: one.value for one in parameters.declared(ROOT / "book" / "density.ipynb")}
    assert f"{given['members']} networks for each of {len(given['sizes'])} sizes" in (ROOT / "README.md").read_text()


# What the first page says in short, each phrase before its verdict: no chapter can tell if two are swapped.
FIRST_PAGE = {
    "The instability is real, and comes at every size of the data set": "density:no-stable-size",
    "More data postpone it": "density:sparser-sooner",
    "It sets in sharply": "density:sharp-in-epochs",
    "That the density of the data decides": "density:density-decides",
    "Under the sum that the paper prints, that sparser data are unstable sooner": "density:sparser-sooner-sum",
    "The scale of averaging shrinks": "scale:reduced",
    "That a network's output is nothing but a local average of its data": "scale:local-average",
    "Outputs come to the average of the kernel-balanced equation": "balance:reaches-average",
    "That they stay there": "balance:stays-at-average",
    "the largest curvature has crossed 2": "variance_dynamics:onset-after-crossing",
    "That a floor of 0.01 under σ prevents it, for one point": "one_point:floor-prevents",
    "for a data set": "variance_dynamics:floor-prevents",
    "That a Student t distribution prevents it, on the paper's coin flips": "robust_losses:student-t-cures",
    "on data with noise": "calibration:student-t-cures",
    "That a loss weighted by the variance does, on coin flips": "robust_losses:beta-one-cures",
}


def test_the_first_page_says_each_thing_of_its_own_claim():
    text = (ROOT / "book" / "intro.md").read_text().replace("**", "").replace(r"{math}`\sigma`", "σ")
    text = " ".join(re.sub(r"\{claim\}`([^`]*)`", r"[\1]", text).split())
    assert len(re.findall(r"\[\w+:[\w-]+\]", text)) == len(FIRST_PAGE)
    assert [one for one in FIRST_PAGE if f"{one}: [{FIRST_PAGE[one]}]" not in text] == []
