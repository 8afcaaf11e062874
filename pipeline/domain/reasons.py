"""The catalogue of reasons: for each stable code what it leads to, INE's own term, and the citizen's sentence.

Three voices (design, decision 9): the code for programs, `Reason.detail` for developers, `message` for the citizen,
which says what to do next. INE's terms are those of its inconsistency catalogue of 2021-22.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipeline.domain.verdict import Outcome, Subject


class Ine(StrEnum):
    """The entries of INE's inconsistency catalogue that a machine can speak of."""

    PHOTO = "foto no válida"
    COPY = "fotocopia de CPV"
    SIGNATURE = "firma no válida"
    NO_SIGNATURE = "sin firma"
    CARD = "CPV no válida"
    OTHER = "otras situaciones"
    SIMULATION = "simulación"
    NOT_IN_FORCE = "bajas (Lista Nominal)"
    DUPLICATE = "duplicado mismo promovente"
    DUPLICATE_ELSEWHERE = "duplicado otros promoventes"


@dataclass(frozen=True, slots=True)
class ReasonKind:
    """`leads_to`: the outcome this reason asks for. `ine`: the entry of INE's catalogue, where one says the same."""

    leads_to: Outcome
    message: str
    ine: Ine | None = None


REVIEWED = "Una persona revisará tu apoyo; no necesitas enviarlo otra vez."


def _retake(message: str, ine: Ine | None = None) -> ReasonKind:
    return ReasonKind(Outcome.RETAKE, message, ine)


def _review(message: str, ine: Ine) -> ReasonKind:
    return ReasonKind(Outcome.REVIEW, f"{message} {REVIEWED}", ine)


def _rejected(message: str, ine: Ine) -> ReasonKind:
    return ReasonKind(Outcome.REJECTED, message, ine)


def _of_side(side: Subject) -> dict[str, ReasonKind]:
    """The reasons that exist for either card photo."""
    this, other = ("el frente", "el reverso") if side is Subject.FRONT else ("el reverso", "el frente")
    of_this = "del frente" if side is Subject.FRONT else "del reverso"
    again = f"Toma de nuevo la foto {of_this}"
    kinds = {
        "unreadable_file": _retake(f"No pudimos abrir la foto. {again} y envíala otra vez."),
        "no_card": _retake(f"No encontramos tu credencial en la foto. {again} con la credencial completa.", Ine.CARD),
        "not_a_credential": _retake(f"La foto no parece mostrar {this} de una Credencial para Votar. {again}.", Ine.CARD),
        "cut": _retake(f"La credencial sale cortada. {again} con un margen alrededor de las cuatro esquinas."),
        "several_cards": _retake(f"Hay más de una tarjeta en la foto. {again} solo con tu credencial."),
        "wrong_side": _retake(f"Esta foto muestra otra vez {other}. {again} mostrando {this} de tu credencial."),
        "blurred": _retake(f"La foto salió borrosa. {again} sin mover el teléfono y espera a que enfoque."),
        "glare": _retake(f"Un reflejo tapa los datos. {again} sin flash e inclinando un poco la credencial."),
        "covered": _retake(f"Algo tapa parte de la credencial. {again} sin dedos ni objetos sobre ella."),
        "dark": _retake(f"La foto está muy oscura. {again} con más luz."),
        "too_far": _retake(f"La credencial se ve muy pequeña. {again} acercando el teléfono."),
        "unreadable": _review(f"No pudimos leer todos los datos que lleva {this}.", Ine.OTHER),
        "photocopy": _review(f"La foto {of_this} parece de una fotocopia; usa siempre tu credencial original.", Ine.COPY),
        "screen": _review(f"La foto {of_this} parece de una pantalla; usa siempre tu credencial original.", Ine.SIMULATION),
    }
    return {f"{side}.{code}": kind for code, kind in kinds.items()}


def _of_reuse() -> dict[str, ReasonKind]:
    """The citizen is told that somebody looks, and not what was found elsewhere: it may be another citizen's."""
    message = "Necesitamos comparar tu apoyo con los demás que recibimos."
    kinds = {f"reuse.{what}{suffix}": _review(message, ine) for what in ("image", "card", "face", "signature")
             for suffix, ine in (("", Ine.DUPLICATE), ("_other_applicant", Ine.DUPLICATE_ELSEWHERE))}
    return {**kinds, "reuse.data_differ": _review(message, Ine.CARD), "reuse.portrait_differs": _review(message, Ine.CARD),
            "reuse.background": _review(message, Ine.OTHER), "reuse.sender": _review(message, Ine.OTHER)}


CATALOGUE: dict[str, ReasonKind] = {
    **_of_side(Subject.FRONT),
    **_of_side(Subject.BACK),
    "card.model_without_qr": _rejected(
        "Tu credencial es de un modelo sin códigos QR en el reverso (A, B, C o D) y ya no está vigente. "
        "Renuévala en un módulo del INE para poder dar tu apoyo.", Ine.CARD),
    "card.model_not_accepted": _rejected(
        "Este proceso no recibe credenciales de tu modelo. Consulta la convocatoria del proceso.", Ine.CARD),
    "card.model_unknown": _review("No pudimos reconocer el modelo de tu credencial.", Ine.OTHER),
    "card.model_uncertain": _review("Tenemos dudas sobre el modelo de tu credencial.", Ine.OTHER),
    "card.model_not_as_chosen": _review("El modelo que elegiste no coincide con el de la foto.", Ine.OTHER),
    "card.sides_differ": _review("El frente y el reverso parecen de credenciales distintas.", Ine.CARD),
    "card.sides_unconfirmed": _review("No pudimos confirmar que las dos fotos son de la misma credencial.", Ine.OTHER),
    "qr.unreadable": _review("No pudimos leer el código QR de tu credencial.", Ine.OTHER),
    "qr.foreign": _review("El código QR de la credencial no tiene el formato esperado.", Ine.CARD),
    "qr.large_differs": _review("Lo que contienen los códigos QR grandes no coincide con lo impreso.", Ine.CARD),
    "qr.mrz_differs": _review("El código QR y los renglones del reverso no coinciden.", Ine.CARD),
    "mrz.unreadable": _review("No pudimos leer los renglones del reverso.", Ine.OTHER),
    "mrz.invalid": _review("Los renglones del reverso no cuadran entre sí.", Ine.CARD),
    "mrz.front_differs": _review("Los datos del frente y del reverso no coinciden.", Ine.CARD),
    "mrz.front_unconfirmed": _review("No pudimos comparar todos los datos del frente y del reverso.", Ine.OTHER),
    "curp.inconsistent": _review("La CURP no coincide con otros datos de la credencial.", Ine.CARD),
    "curp.unreadable": _review("No pudimos leer la CURP.", Ine.OTHER),
    "elector_key.inconsistent": _review("La clave de elector no coincide con otros datos de la credencial.", Ine.CARD),
    "elector_key.unreadable": _review("No pudimos leer la clave de elector.", Ine.OTHER),
    "support.expired": _rejected(
        "Tu credencial ya no está vigente. Renuévala en un módulo del INE para poder dar tu apoyo.", Ine.CARD),
    "support.expiry_doubtful": _review("No pudimos leer con certeza la vigencia de tu credencial.", Ine.OTHER),
    "support.not_in_roll": _review("Tu credencial no aparece vigente en el padrón.", Ine.NOT_IN_FORCE),
    "support.outside_demarcation": _rejected(
        "Tu credencial es de otra demarcación; este proceso solo recibe apoyos de la suya.", Ine.OTHER),
    "support.demarcation_doubtful": _review("No pudimos leer con certeza la sección de tu credencial.", Ine.OTHER),
    "support.processing_failed": _review("No pudimos procesar tu apoyo de forma automática.", Ine.OTHER),
    "support.retakes_spent": _review("Ya tomaste las fotos varias veces y todavía no pudimos verificarlas.", Ine.OTHER),
    "support.review_wished": _review("Pediste que una persona vea tu apoyo.", Ine.OTHER),
    "support.check_missing": _review("Falta una comprobación que este proceso exige.", Ine.OTHER),
    "face.no_portrait": _review("No encontramos la fotografía en tu credencial.", Ine.CARD),
    "face.no_match": _review("La selfie y la fotografía de la credencial no parecen de la misma persona.", Ine.PHOTO),
    "face.uncertain": _review("No pudimos confirmar que la selfie y la fotografía son de la misma persona.", Ine.PHOTO),
    "face.low_quality": _review("La fotografía de la credencial o la selfie no se ve con suficiente detalle.", Ine.PHOTO),
    "face.ghost_differs": _review("Las dos fotografías de la credencial no parecen de la misma persona.", Ine.CARD),
    "selfie.unreadable_file": _retake("No pudimos abrir tu selfie. Tómala y envíala otra vez.", Ine.PHOTO),
    "selfie.screen": _review("La selfie parece tomada de una pantalla.", Ine.SIMULATION),
    "selfie.no_face": _retake("No vemos tu cara en la selfie. Tómala de nuevo, de frente y con buena luz.", Ine.PHOTO),
    "selfie.several_faces": _retake("Hay más de una persona en la selfie. Tómala de nuevo sin nadie más.", Ine.PHOTO),
    "signature.unreadable_file": _retake("No pudimos abrir tu firma. Firma otra vez en la pantalla.", Ine.NO_SIGNATURE),
    "signature.missing": _retake("Falta tu firma. Firma en la pantalla y envía otra vez.", Ine.NO_SIGNATURE),
    "signature.not_a_signature": _retake("Lo dibujado no parece una firma. Firma otra vez como firmas siempre.", Ine.SIGNATURE),
    "signature.too_small": _retake("Tu firma salió muy pequeña. Firma otra vez usando todo el recuadro.", Ine.SIGNATURE),
    "signature.cut": _retake("Tu firma salió cortada. Firma otra vez dentro del recuadro.", Ine.SIGNATURE),
    "signature.doubtful": _review("Tenemos dudas sobre tu firma.", Ine.SIGNATURE),
    "activation.illegible": _retake("No pudimos leer los datos del frente. Toma de nuevo la foto, de cerca y con buena luz."),
    "activation.failed": _retake("No pudimos revisar la foto. Toma de nuevo la foto del frente y envíala otra vez."),
    "activation.attempts_spent": _retake("El código no fue correcto varias veces y ya no sirve. Pide uno nuevo."),
    "consent.unknown_notice": _review("No sabemos qué aviso de privacidad aceptaste; acepta el de la aplicación.", Ine.OTHER),
    "consent.outdated_notice": _review("Aceptaste un aviso de privacidad que ya no es el vigente.", Ine.OTHER),
    "device.not_activated": _review("Tu apoyo llegó de un teléfono que no activaste con el código de tu correo.", Ine.OTHER),
    "device.differs": _review("Tu apoyo llegó de un teléfono distinto del que dice.", Ine.OTHER),
    **_of_reuse(),
}
