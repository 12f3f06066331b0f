"""One function a figure: each takes measured data and returns a matplotlib Figure; none computes anything."""

from kbe.figures.balance import expansion as expansion
from kbe.figures.balance import local_step as local_step
from kbe.figures.balance import resting_places as resting_places
from kbe.figures.balance import scale_in_networks as scale_in_networks
from kbe.figures.balance import scale_in_theory as scale_in_theory
from kbe.figures.model import starts as starts
from kbe.figures.spectrum import mode_decay as mode_decay
from kbe.figures.spectrum import order_decay as order_decay
from kbe.figures.spectrum import spectrum_of_draws as spectrum_of_draws
from kbe.figures.spectrum import spectrum_of_one_draw as spectrum_of_one_draw
from kbe.figures.style import show as show
