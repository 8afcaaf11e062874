"""The models of the voter credential, A to J, and what each is known to carry."""

from __future__ import annotations

from enum import StrEnum


class Side(StrEnum):
    """A side of the card; also names the photo that the citizen took of it."""

    FRONT = "front"
    BACK = "back"


class CardModel(StrEnum):
    """A model letter as INE uses it (A, B, C: 1992-2013; D: 2013; E, F: 2014; G, H: 2019; I, J: 2026)."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"
    F = "F"
    G = "G"
    H = "H"
    I = "I"  # noqa: E741 - INE's own letter
    J = "J"

    @property
    def has_qr_back(self) -> bool:
        """Whether its back carries QR codes, which "Mi Apoyo" requires (E onwards)."""
        return self >= CardModel.E

    @property
    def issued_abroad(self) -> bool:
        return self in (CardModel.F, CardModel.H, CardModel.J)

    @property
    def has_mrz(self) -> bool:
        """D onwards carry three machine-readable lines on the back."""
        return self >= CardModel.D

    @property
    def large_qrs(self) -> int:
        """Large encrypted QR codes on the back: two on G and H (and, as far as is known, I and J)."""
        return 2 if self >= CardModel.G else 0

    @property
    def has_pdf417(self) -> bool:
        return self in (CardModel.D, CardModel.E, CardModel.F)
