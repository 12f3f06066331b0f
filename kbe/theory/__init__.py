"""Response kernel dynamics, section III.C, Eq. (12)-(24): flows, maps, balances, and the spectra behind them."""
