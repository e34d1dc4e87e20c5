# SPDX-License-Identifier: Apache-2.0
"""Stands in for get-pip.py, which ansible-test would download: the same pip, from Python's own bundled copy and the
package index. ansible-test runs it inside an empty virtual environment with the packages to install as arguments."""

from __future__ import annotations

import ensurepip
import subprocess
import sys

# Options of get-pip.py that pip itself does not have.
_NOT_FOR_PIP = {"--no-setuptools", "--no-wheel"}

ensurepip.bootstrap(default_pip=True)
arguments = [argument for argument in sys.argv[1:] if argument not in _NOT_FOR_PIP]
sys.exit(subprocess.run([sys.executable, "-m", "pip", "install", *arguments], check=False).returncode)
