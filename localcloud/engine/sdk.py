"""`python -m localcloud.engine.sdk`: writes sdks/neon as `pulumi package add` would, from the stand-in's own schema.

One line differs: the SDK is a part of the library's wheel, and can't ask a distribution of its own for its version.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from localcloud.engine.build import MODULE, BuildError, find_go
from localcloud.plugins.neon import PACKAGE
from localcloud.plugins.schema import package_schema

SDK = Path(__file__).parents[2] / "sdks" / "neon"
_ASKED = "importlib.metadata.version(root_package)"


def generate(directory: Path) -> None:
    """Writes the SDK into an empty directory."""
    done = subprocess.run(
        [find_go(), "run", "./sdkgen", str(directory.resolve())],
        input=json.dumps(package_schema(PACKAGE)),
        cwd=MODULE,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"the SDK generator failed:\n{done.stderr.strip()}")
    utilities = directory / "pulumi_neon" / "_utilities.py"
    text = utilities.read_text()
    if text.count(_ASKED) != 1:
        raise BuildError(f"{utilities.name} of the SDK doesn't ask for its version with {_ASKED}: look how it does now")
    utilities.write_text(text.replace(_ASKED, f'"{PACKAGE.version}"'))


def regenerate(sdk: Path) -> None:
    """Replaces the generated files; what an installation left beside them stays."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        for new in Path(scratch).iterdir():
            old = sdk / new.name
            if old.is_dir():
                shutil.rmtree(old)
            if new.is_dir():
                shutil.copytree(new, old)
            else:
                sdk.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(new, old)


if __name__ == "__main__":
    try:
        regenerate(SDK)
    except BuildError as error:
        sys.exit(f"error: {error}")
