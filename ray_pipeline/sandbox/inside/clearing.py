"""Emptying the folder of a program, whatever it left there: folders too deep for any path, without any rights, by the ten thousand."""

from __future__ import annotations

import os
import stat

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def clear(place: str) -> bool:
    """Take everything out of the folder; it stays itself, since rules name it. False where something could not be taken out."""
    try:
        os.chmod(place, 0o700)
        top = os.open(place, FOLDER)
    except OSError:
        return False
    try:
        moved = 0
        while left := os.listdir(top):
            for name in left:
                if not _is_folder(name, top):
                    os.unlink(name, dir_fd=top)
                    continue
                os.chmod(name, 0o700, dir_fd=top)
                inner = os.open(name, FOLDER, dir_fd=top)
                try:
                    for below in os.listdir(inner):  # all come up one level, so no path grows long and nothing recurses
                        if _is_folder(below, inner):
                            os.chmod(below, 0o700, dir_fd=inner)
                        moved += 1
                        os.rename(below, f".cleared-{moved}", src_dir_fd=inner, dst_dir_fd=top)
                finally:
                    os.close(inner)
                os.rmdir(name, dir_fd=top)
        return True
    except OSError:
        return False
    finally:
        os.close(top)


def _is_folder(name: str, within: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=within, follow_symlinks=False).st_mode)
