"""`python -m localcloud.engine`: makes sure that the engine stands in the tools folder."""

import argparse
import sys
from pathlib import Path

from localcloud.cloud import TOOLS
from localcloud.engine import BuildError, ensure

parser = argparse.ArgumentParser(prog="python -m localcloud.engine", description=__doc__)
parser.add_argument("--tools", type=Path, default=TOOLS, help="default: %(default)s")
try:
    print(ensure(parser.parse_args().tools))
except BuildError as error:
    sys.exit(f"error: {error}")
