"""`python -m kbe`: see `kbe.book.cli`."""

import signal
import sys

from kbe.book.cli import main

signal.signal(signal.SIGTERM, signal.default_int_handler)  # who is told to end cleans up, as when interrupted
sys.exit(main())
