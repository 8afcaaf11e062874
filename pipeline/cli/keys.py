"""`apoyo keys`: another key-encryption key takes the former's place, while everything goes on."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from pipeline.errors import Conflict, Misconfigured
from pipeline.settings import Settings, StorageSettings

GAPS = 1
"""Exit code where something does not open."""
SETTLED_SECONDS = 3600.0
"""Far above what a request takes: none that began before a new key was the current one is still to be committed."""
keys = typer.Typer(no_args_is_help=True, help="Key-encryption keys: check, new, rotate, retire.")


@keys.command()
def check() -> None:
    """By which keys what is stored was wrapped, and whether each opens here; exit code 1 where one does not."""
    from pipeline.records.keys import count_by_key, opens
    from pipeline.records.storage import open_keys, open_storage

    settings = Settings.load().storage
    provider, engine = open_keys(settings), open_storage(settings).engine
    counts, broken = count_by_key(engine), 0
    for one in sorted({*counts, provider.current}):
        fine = opens(provider, engine, one)
        broken += not fine
        said = "current" if one == provider.current else "former"
        print(f"{one}\t{said}\t{counts[one]} wrapped\t{'opens' if fine else 'DOES NOT OPEN'}")
    if broken:
        raise typer.Exit(GAPS)


@keys.command()
def new() -> None:
    """Add a key to the file, which wraps from now on; the former ones still open. Copy the file elsewhere before you go on."""
    from pipeline.blobs.files import replace_secret
    from pipeline.blobs.keks import KeySet, LocalKeys

    settings = Settings.load().storage
    _demand_file(settings)
    LocalKeys.in_file(settings.key_file)
    changed = KeySet.parse(settings.key_file.read_text(), str(settings.key_file)).with_new()
    replace_secret(settings.key_file, changed.text())
    print(f"{changed.current} wraps from now on; {len(changed.keys) - 1} former still open.\n"
          f"Now: a copy of {settings.key_file}, then `apoyo keys rotate`.")


@keys.command()
def rotate() -> None:
    """Wrap anew, by the current key, all that a former one wrapped. May be ended at any moment, and goes on where it was."""
    from pipeline.records.keys import rewrap_all
    from pipeline.records.storage import open_storage

    done = 0
    for done in rewrap_all(open_storage(Settings.load().storage)):
        print(f"{done} wrapped anew", flush=True)
    print(f"done: {done} keys wrapped anew")


@keys.command()
def retire(
    key: Annotated[str, typer.Argument(help="The id of a former key, as `apoyo keys check` shows it.")],
    now: Annotated[bool, typer.Option(help="Although the current key is younger than an hour.")] = False,
) -> None:
    """Take a former key out of the file, for good: copies of the database from before the rotation open with it alone."""
    from pipeline.blobs.files import replace_secret
    from pipeline.blobs.keks import KeySet
    from pipeline.records.keys import count_by_key
    from pipeline.records.storage import open_storage

    settings = Settings.load().storage
    _demand_file(settings)
    held = KeySet.parse(settings.key_file.read_text(), str(settings.key_file))
    if key not in held.keys or key == held.current:
        raise Misconfigured(f"{key} is no former key of {settings.key_file}: `apoyo keys check`", code="not_a_former_key")
    if left := count_by_key(open_storage(settings).engine)[key]:
        raise Conflict(f"{left} keys are wrapped by it still: `apoyo keys rotate` first", code="key_in_use")
    if not now and time.time() - settings.key_file.stat().st_mtime < SETTLED_SECONDS:
        raise Conflict("the file was changed less than an hour ago: a request under way may still use it; wait, then "
                       "`apoyo keys rotate` once more", code="key_in_use")
    replace_secret(settings.key_file, held.without(key).text())
    print(f"{key} is gone from {settings.key_file}: destroy its copies too")


def _demand_file(settings: StorageSettings) -> None:
    if settings.key_service_url:
        raise Misconfigured("the keys are the key service's: turn them there (docs/operations.md), then `apoyo keys rotate`",
                            code="keys_not_in_file")
    if settings.key_variable:
        raise Misconfigured(f"the keys come from {settings.key_variable}: change them there (docs/operations.md), and start each "
                            "process again", code="keys_not_in_file")
