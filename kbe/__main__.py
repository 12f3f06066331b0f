"""`python -m kbe`: see `kbe.book.cli`."""

import sys

from kbe.book.cli import main

sys.exit(main())
