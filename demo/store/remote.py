"""Files beyond this machine, through fsspec: what fails is an OSError that names the store and the cure.

S3 clients raise errors of their own (botocore, aiohttp), and try for minutes by default: here a request has seconds,
few attempts, and one kind of error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import fsspec
from fsspec.spec import AbstractFileSystem

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 3.0, 10.0, 3
Result = TypeVar("Result")


class StorageAway(OSError):
    """The store cannot be reached, or refuses: nothing is known to be lost, and later it may be there again."""


def open_remote(url: str) -> tuple[AbstractFileSystem, str]:
    """The file system of an fsspec URL and the path in it. Raises ValueError where its package is not installed."""
    protocol = url.partition("://")[0]
    options: dict[str, Any] = {}
    if protocol in ("s3", "s3a"):
        limits = {"connect_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS, "retries": {"max_attempts": 0}}
        # no listings cache: other hosts write, too. No shared instance: fsspec would give back one of another endpoint
        options = {"config_kwargs": limits, "use_listings_cache": False, "skip_instance_cache": True}
    try:
        fs, root = fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        raise ValueError(f"STORAGE_URL={protocol}://… needs a package: {error}") from error
    if protocol in ("s3", "s3a"):
        fs.retries = ATTEMPTS
    return fs, str(root)


def asked(root: str, call: Callable[..., Result], *given: object, **named: object) -> Result:
    """The result of a call to the store. Raises FileNotFoundError, StorageAway."""
    try:
        return call(*given, **named)
    except FileNotFoundError as error:
        if "bucket" in str(error).lower():  # s3fs says so of a bucket and of a file
            raise StorageAway(f"the bucket of {root} is not there: create it, or set STORAGE_URL") from error
        raise
    except PermissionError as error:
        raise StorageAway(f"{root} refuses: check the credentials and the rights of the bucket ({error})") from error
    except Exception as error:  # botocore's and aiohttp's errors are no OSErrors
        raise StorageAway(f"{root} cannot be reached: {type(error).__name__}: {error}") from error
