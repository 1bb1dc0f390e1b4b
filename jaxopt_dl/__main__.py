"""`python -m jaxopt_dl` is the command line; see `jaxopt_dl.cli`."""

import sys

from jaxopt_dl.cli import main

if __name__ == "__main__":
    sys.exit(main())
