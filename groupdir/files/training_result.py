"""Result of a training that was measured on the test set: a small JSON file, written last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from groupdir.errors import DamagedFileError, DataError
from groupdir.files.sealed import damaged, seal_mapping, verify_mapping
from groupdir.files.write_whole import write_whole


@dataclass(frozen=True)
class TrainingResult:
    """Content of RESULT.

    Attributes:
        digest: Digest of the configuration, with its seed.
        epoch: Epoch whose weights were tested.
        metrics: Test metrics by their columns, such as `test_mae_all`. A missing value is NaN.
    """

    digest: str
    epoch: int
    metrics: Mapping[str, float]

    def write(self, path: Path) -> None:
        """Write the result. A training whose folder has it is finished.

        Raises:
            FileWriteError: If the disk is full, or the folder is missing or read-only.
        """
        write_whole(path, json.dumps(seal_mapping(asdict(self)), indent=1), durable=True)


NAMES = tuple(field.name for field in fields(TrainingResult))


def read_result(path: Path, command: str) -> TrainingResult:
    """Return the result in a file.

    Args:
        path: The file.
        command: Words that say how to continue without the file, for the message.

    Raises:
        DataError: If the file is missing or broken.
    """
    try:
        content = verify_mapping(path, json.loads(path.read_text(encoding="utf-8")), NAMES)
        metrics = {name: float(value) for name, value in content["metrics"].items()}
        return TrainingResult(str(content["digest"]), int(content["epoch"]), metrics)
    except DamagedFileError as error:
        raise damaged(path, remedy=f"delete the file and continue with {command}") from error
    except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        text = f"is not a result of `groupdir train`: {type(error).__name__}: {error}"
        raise DataError(f"{path}: {text}: delete the file and continue with {command}") from error
