"""`python -m nftnsr`."""

import sys

from nftnsr.cli import main

sys.exit(main())
