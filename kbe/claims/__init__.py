"""A claim: what is said, what was measured, the criterion, the verdict; and the tables of them."""

from kbe.claims.claim import FAILS as FAILS
from kbe.claims.claim import HOLDS as HOLDS
from kbe.claims.claim import UNDECIDED as UNDECIDED
from kbe.claims.claim import Claim as Claim
from kbe.claims.claim import Judged as Judged
from kbe.claims.report import report as report
from kbe.claims.report import stored as stored
from kbe.claims.report import table as table
from kbe.claims.report import tally as tally
from kbe.claims.report import verdicts as verdicts
from kbe.claims.shares import fraction_interval as fraction_interval
