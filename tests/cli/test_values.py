"""Values in files, through the commands: notes, --colors, --spacing, stacks of pictures."""

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Run

AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])
