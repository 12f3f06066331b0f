"""`python -m kbe`: see `kbe.cli`."""

import sys

from kbe.cli import main

sys.exit(main())
