"""`python -m localcloud.engine`: makes sure that the engine stands in the tools folder."""

import argparse
import sys
from pathlib import Path

from localcloud.engine import BuildError, ensure

parser = argparse.ArgumentParser(prog="python -m localcloud.engine", description=__doc__)
parser.add_argument("--tools", type=Path, default=Path(__file__).parents[2] / ".tools", help="default: %(default)s")
try:
    print(ensure(parser.parse_args().tools))
except BuildError as error:
    sys.exit(f"error: {error}")
