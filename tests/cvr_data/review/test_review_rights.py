"""Files of judgments hold tokens: they are their owner's alone."""

import os
import stat

from cvr_data.review.listening import review_machine_is_shared
from cvr_data.review.store import ReviewStore


def test_a_file_of_judgments_is_its_owners_alone(tmp_path):
    (tmp_path / "old.sqlite").touch(mode=0o644)
    before = os.umask(0o022)
    try:
        for name in ("new.sqlite", "old.sqlite"):
            with ReviewStore(tmp_path / name) as store:
                store.token_of("ann")
                rights = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob(f"{name}*")}
            assert set(rights.values()) == {0o600}, rights
    finally:
        os.umask(before)


def test_accounts_of_other_people_are_told_from_those_of_programs():
    import pwd

    people = [entry for entry in pwd.getpwall() if 1000 <= entry.pw_uid < 65_534 and entry.pw_uid != os.getuid()]
    assert review_machine_is_shared() is any(not entry.pw_shell.endswith(("nologin", "false")) for entry in people)
