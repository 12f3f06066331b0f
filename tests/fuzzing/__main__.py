"""`python -m fuzzing CALLS [FOLDERS] [SEED]`: so many calls of each function, a table, and what is wrong."""

import random
import resource
import sys

from fuzzing.good import entries
from fuzzing.judging import Report, tried

MEMORY = 8 * 2**30  # bytes, beyond which a call fails rather than the machine

calls, folders, *seeds = *sys.argv[1:], *[""][len(sys.argv) - 2 :]
seed = int(seeds[0]) if seeds else random.randrange(2**32)
resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
report = Report()
for entry in entries(folders):
    tried(entry, int(calls), report, seed)
print(report)
print(f"seed {seed}")
sys.exit(bool(report.faults))
