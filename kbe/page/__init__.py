"""The training in the page: the compiled path of Eq. (9)-(11) as a WebAssembly module, and what it needs."""
