"""`python -m kbe`: see `kbe.book.cli`."""

import signal
import sys

from kbe.book.cli import main

for told in {"SIGTERM", "SIGHUP"} & set(dir(signal)):  # who is told to end cleans up, as when interrupted
    signal.signal(getattr(signal, told), signal.default_int_handler)
sys.exit(main())
