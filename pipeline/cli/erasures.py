"""`apoyo erase`, `apoyo receipts`, `apoyo hold`: what an operator does where somebody asks to be forgotten, or to be kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.settings import Settings

BROKEN = 1
"""Exit code where a receipt does not hold."""
receipts = typer.Typer(no_args_is_help=True, help="Signed receipts of erasures.")
hold = typer.Typer(no_args_is_help=True, help="Supports that an authority wants kept: nothing erases them.")
Ids = Annotated[list[str], typer.Argument(help="Supports, by their ids or folios.")]


def erase(ids: Ids) -> None:
    """Destroy the keys of these supports, and all that is found by or told of them, for good: one signed receipt a line."""
    from pipeline.records.erasures import Asked
    from pipeline.records.erasures import erase as destroy
    from pipeline.records.listing import id_of
    from pipeline.records.receipts import Cause
    from pipeline.records.storage import open_storage

    storage = open_storage(Settings.load().storage)
    for one in ids:
        print(destroy(storage, Asked(id_of(storage.engine, one), Cause.ASKED, "operator")), flush=True)


def export(
    support: Annotated[str, typer.Argument(help="A support, by its id or folio.")],
    out: Annotated[Path, typer.Option(help="A new file: a zip of the citizen's data in plain. Hand it over, then delete it.")],
) -> None:
    """All that is held on the citizen of one support, for a request for access."""
    from pipeline.records.export import export_support
    from pipeline.records.listing import id_of
    from pipeline.records.storage import open_storage

    storage = open_storage(Settings.load().storage)
    made = export_support(storage, id_of(storage.engine, support), out)
    print(f"{made.files} files in {out}; {made.missing} things could not be opened")


@receipts.command()
def verify(
    file: Annotated[Path, typer.Argument(help="One signed receipt a line, or a folder of one a file.")],
    key: Annotated[str, typer.Option(help="The key that is to be trusted, as `apoyo receipts key` shows it; none: this "
                                          "installation's.")] = "",
) -> None:
    """Whether these receipts are whole and signed by the key; exit code 1 where one is not."""
    from pipeline.errors import BadInput
    from pipeline.records.erasures import receipts_in
    from pipeline.records.receipts import ReceiptKey, read_receipt

    trusted = key or ReceiptKey(Settings.load().storage.receipt_key_file).public()
    found = receipts_in(file)
    bad = 0
    for number, text in enumerate(found, 1):
        try:
            told = read_receipt(text, trusted)
        except BadInput as error:
            bad += 1
            print(f"{number}\t{error.code}\t{error.detail}")
        else:
            print(f"{number}\tholds\t{told.support}\t{told.erased_at}\t{told.cause}")
    if bad or not found:
        raise typer.Exit(BROKEN)


@receipts.command("export")
def export_receipts(out: Annotated[Path, typer.Option(help="A new file; keep it with the copies, or away from them.")]) -> None:
    """Every receipt, one a line: what `apoyo restore --erasures` needs."""
    from pipeline.records.erasures import keep_the_rest, kept_receipts
    from pipeline.records.storage import open_storage

    storage = open_storage(Settings.load().storage)
    keep_the_rest(storage)
    count = 0
    with out.open("x") as file:
        for signed in kept_receipts(storage):
            file.write(f"{signed}\n")
            count += 1
    print(f"{count} receipts in {out}")


@receipts.command("key")
def show_key() -> None:
    """The public key that receipts of this installation are signed by."""
    from pipeline.records.receipts import ReceiptKey

    print(ReceiptKey(Settings.load().storage.receipt_key_file).public())


@hold.command("place")
def place_hold(ids: Ids, reason: Annotated[str, typer.Option(help="A code, such as a file's number; no name.")]) -> None:
    """Keep these supports whatever their retention says, until they are released."""
    from pipeline.records.holds import place
    from pipeline.records.listing import id_of
    from pipeline.records.storage import open_storage

    storage = open_storage(Settings.load().storage)
    for one in ids:
        place(storage.engine, id_of(storage.engine, one), reason)
    print(f"{len(ids)} held")


@hold.command("release")
def release_hold(ids: Ids) -> None:
    """Let these supports go again."""
    from pipeline.records.holds import release
    from pipeline.records.listing import id_of
    from pipeline.records.storage import open_storage

    storage = open_storage(Settings.load().storage)
    print(f"{sum(release(storage.engine, id_of(storage.engine, one)) for one in ids)} released")


@hold.command("list")
def list_holds() -> None:
    """Which supports are held, why and since when."""
    from pipeline.records.holds import held
    from pipeline.records.storage import open_storage

    for one in held(open_storage(Settings.load().storage).engine):
        print(f"{one.support_id}\t{one.reason}\t{one.placed_at.isoformat()}")
