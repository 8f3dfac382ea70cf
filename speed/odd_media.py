"""A corpus of odd files through `cvr import`, `check-media` and `embed`: every file is kept or dropped, and counted.

    python speed/odd_media.py --files 1000

The files are those of `tests/odd_media.py`, and copies of them that are cut, or have holes, noise, turned bits or lost
bytes, drawn from a seed; a pipe, loops of links and a name that is not UTF-8 are among them.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.odd_corpus import account, write_corpus


def main() -> None:
    """Write the files, run the three commands on them, and print what became of how many."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    sizes = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        media = write_corpus(Path(name) / "media", sizes.files, sizes.seed)
        for line in account(media, Path(name) / "out"):
            print(line)


if __name__ == "__main__":
    main()
