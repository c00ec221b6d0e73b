"""`python -m keras_mdl`: the command line."""

import sys

from keras_mdl.cli import main

if __name__ == "__main__":
    sys.exit(main())
