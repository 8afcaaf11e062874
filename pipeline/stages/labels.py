"""The labels and headings that credentials print, and how to find them in a line that was read with a few slips. Pure."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

SLIPS = 0.2
"""Share of a label's letters that may be misread (rounded down: words of four letters must be right)."""


TORN_LETTERS, TORN_SHARE = 6, 0.6
"""What must be left of a label whose start or end glare took."""


@dataclass(frozen=True, slots=True)
class Label:
    """`text`: canonical, as the plainest model prints it. `field`: what its value is, None for headings and notes."""

    text: str
    field: str | None
    forms: tuple[str, ...] = ()
    """Other wordings of the same label."""


LABELS = (
    Label("NOMBRE", "names", ("NOMBRE DEL ELECTOR", "NOMBRE DEL ELECTOR NAME", "NOMBRE NAME")),
    Label("DOMICILIO", "address", ("DOMICILIO DEL ELECTOR",)),
    Label("DOMICILIO DEL ELECTOR / ADDRESS", "address", ("DOMICILIO ADDRESS", "DOMICILIO DEL ELECTOR ADRESS")),
    Label("CLAVE DE ELECTOR", "elector_key", ("CLAVE ELECTOR", "CLAVE DE ELECTOR VOTER ID")),
    Label("CURP", "curp"),
    Label("AÑO DE REGISTRO", "registration", ("ANO REGISTRO",)),
    Label("AÑO DE REGISTRO / REGISTRATION YEAR", "registration", ("ANO DE REGISTRO REGISTRATION YEAR", "REGISTRATION YEAR")),
    Label("ESTADO", "state", ("ENTIDAD",)),
    Label("MUNICIPIO", "municipality"),
    Label("SECCIÓN", "section"),
    Label("LOCALIDAD", "locality"),
    Label("EMISIÓN", "issue_year", ("EMISION ISSUE",)),
    Label("VIGENCIA", "expiry", ("VIGENCIA HASTA", "VIGENCIA EXPIRY")),
    Label("FECHA DE NACIMIENTO", "birth_date"),
    Label("DATE OF BIRTH", "birth_date", ("FECHA DE NACIMIENTO DATE OF BIRTH",)),
    Label("SEXO", "sex", ("SEXO SEX",)),
    Label("GÉNERO", "sex", ("GENERO GENDER",)),
    Label("EDAD", "age"),
    Label("FOLIO", "folio"),
    Label("LUGAR DE NACIMIENTO / PLACE OF BIRTH", "birth_place", ("LUGAR DE NACIMIENTO", "PLACE OF BIRTH")),
    Label("MÉXICO", None),
    Label("INSTITUTO NACIONAL ELECTORAL", None),
    Label("INSTITUTO FEDERAL ELECTORAL", None),
    Label("REGISTRO FEDERAL DE ELECTORES", None),
    Label("CREDENCIAL PARA VOTAR", None),
    Label("CREDENCIAL PARA VOTAR DESDE EL EXTRANJERO", None),
    Label("DESDE EL EXTRANJERO", None),
    Label("MUESTRA", None),
)
MOST_WORDS = 7


@dataclass(frozen=True, slots=True)
class Found:
    """A label in a line: its words are `first` to before `last`."""

    label: Label
    first: int
    last: int


def plain(text: str) -> str:
    """Capitals without accents, Ñ as N, every sign a blank."""
    bare = unicodedata.normalize("NFKD", text.upper())
    return "".join(letter if letter.isalnum() else " " for letter in bare if not unicodedata.combining(letter))


def find_labels(text: str) -> tuple[Found, ...]:
    """Labels in a line, left to right, the longest where two fit. Words are those of `text.split()`; no label has numbers."""
    words = [plain(word).replace(" ", "") for word in text.split()]
    numbers = [place for place, word in enumerate(words) if 2 * sum(letter.isdigit() for letter in word) > len(word)]
    found: list[Found] = []
    at = 0
    while at < len(words):
        most = min(MOST_WORDS, next((place for place in numbers if place >= at), len(words)) - at)
        best = next((Found(label, at, at + count) for count in range(most, 0, -1)
                     if (label := match("".join(words[at:at + count]))) is not None), None)
        if best is not None:
            found.append(best)
        at = best.last if best is not None else at + 1
    return tuple(found)


@lru_cache(maxsize=4096)
def match(joined: str) -> Label | None:
    """The label that letters without blanks spell, a few slips forgiven; the nearest where several are near."""
    exact = _spellings().get(joined)
    if exact is not None:
        return exact
    if sum(letter.isdigit() for letter in joined) > SLIPS * len(joined):
        return None
    torn = [spelling for spelling in _spellings() if len(joined) >= max(TORN_LETTERS, TORN_SHARE * len(spelling))
            and (spelling.startswith(joined) or spelling.endswith(joined))]
    if torn:
        return _spellings()[min(torn, key=len)]
    near = [(distance(joined, spelling), spelling) for spelling in _spellings()
            if abs(len(spelling) - len(joined)) <= int(SLIPS * len(spelling))]
    best = min(near, default=None)
    return _spellings()[best[1]] if best is not None and best[0] <= int(SLIPS * len(best[1])) else None


@lru_cache(maxsize=1)
def _spellings() -> dict[str, Label]:
    return {plain(form).replace(" ", ""): label for label in LABELS for form in (label.text, *label.forms)}


def distance(a: str, b: str) -> int:
    """Levenshtein's distance, by Myers' bit vectors (J. ACM 46, 1999): one step of whole-word arithmetic a letter."""
    if not a or not b:
        return max(len(a), len(b))
    places: dict[str, int] = {}
    for place, letter in enumerate(a):
        places[letter] = places.get(letter, 0) | 1 << place
    full, top = (1 << len(a)) - 1, 1 << (len(a) - 1)
    rises, falls, score = full, 0, len(a)
    for letter in b:
        same = places.get(letter, 0)
        diagonal = (((same & rises) + rises) ^ rises) | same | falls
        up, down = falls | ~(diagonal | rises) & full, rises & diagonal
        score += bool(up & top) - bool(down & top)
        up, down = (up << 1 | 1) & full, (down << 1) & full
        rises, falls = down | ~(diagonal | up) & full, up & diagonal
    return score
