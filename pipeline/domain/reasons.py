"""The catalogue of reasons: for each stable code what it leads to, INE's own term, and the citizen's sentence.

Three voices (design, decision 9): the code for programs, `Reason.detail` for developers, `message` for the citizen,
which says what to do next. INE's terms are those of its inconsistency catalogue of 2021-22.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.domain.verdict import Outcome, Subject


@dataclass(frozen=True, slots=True)
class ReasonKind:
    """`leads_to`: the outcome this reason asks for. `ine`: the entry of INE's catalogue, where one says the same."""

    leads_to: Outcome
    message: str
    ine: str | None = None


_RETAKE, _REVIEW, _REJECTED = Outcome.RETAKE, Outcome.REVIEW, Outcome.REJECTED
_SIDE_WORDS = {Subject.FRONT: "el frente", Subject.BACK: "el reverso"}
_AGAIN = {Subject.FRONT: "Toma de nuevo la foto del frente", Subject.BACK: "Toma de nuevo la foto del reverso"}


def _side_kinds(side: Subject) -> dict[str, ReasonKind]:
    """The reasons that exist for either card photo."""
    what, again = _SIDE_WORDS[side], _AGAIN[side]
    other = _SIDE_WORDS[Subject.BACK if side is Subject.FRONT else Subject.FRONT]
    return {
        "unreadable_file": ReasonKind(_RETAKE, f"No pudimos abrir la foto. {again} y envíala otra vez."),
        "no_card": ReasonKind(_RETAKE, f"No encontramos tu credencial en la foto. {again} con la credencial completa sobre una "
                                       "superficie lisa.", "CPV no válida"),
        "not_a_credential": ReasonKind(_RETAKE, f"Lo que aparece en la foto no parece {what} de una Credencial para Votar. {again}.",
                                       "CPV no válida"),
        "cut": ReasonKind(_RETAKE, f"La credencial sale cortada. {again} dejando un margen alrededor de las cuatro esquinas."),
        "several_cards": ReasonKind(_RETAKE, f"Hay más de una tarjeta en la foto. {again} solo con tu credencial."),
        "wrong_side": ReasonKind(_RETAKE, f"Esta foto muestra otra vez {other}. {again} mostrando {what} de tu credencial."),
        "blurred": ReasonKind(_RETAKE, f"La foto salió borrosa. {again} sin mover el teléfono y espera a que enfoque."),
        "glare": ReasonKind(_RETAKE, f"Un reflejo tapa los datos. {again} sin flash e inclinando un poco la credencial."),
        "dark": ReasonKind(_RETAKE, f"La foto está muy oscura. {again} con más luz."),
        "too_far": ReasonKind(_RETAKE, f"La credencial se ve muy pequeña. {again} acercando el teléfono."),
        "unreadable": ReasonKind(_REVIEW, f"No pudimos leer todos los datos que lleva {what}. Una persona revisará tu apoyo; "
                                          "no necesitas hacer nada.", "otras situaciones"),
        "photocopy": ReasonKind(_REVIEW, f"Parece que la foto de {what} es de una fotocopia. Una persona revisará tu apoyo; usa "
                                         "siempre tu credencial original.", "fotocopia de CPV"),
        "screen": ReasonKind(_REVIEW, f"Parece que la foto de {what} es de una pantalla. Una persona revisará tu apoyo; usa "
                                      "siempre tu credencial original.", "simulación"),
    }


CATALOGUE: dict[str, ReasonKind] = {
    **{f"front.{code}": kind for code, kind in _side_kinds(Subject.FRONT).items()},
    **{f"back.{code}": kind for code, kind in _side_kinds(Subject.BACK).items()},
    "card.model_without_qr": ReasonKind(_REJECTED, "Tu credencial es de un modelo sin códigos QR en el reverso (modelos A, B, C o D) "
                                        "y ya no está vigente. Renuévala en un módulo del INE para poder dar tu apoyo.",
                                        "CPV no válida"),
    "card.model_not_accepted": ReasonKind(_REJECTED, "Este proceso no recibe credenciales de tu modelo. Consulta la convocatoria "
                                          "del proceso.", "CPV no válida"),
    "card.model_unknown": ReasonKind(_REVIEW, "No pudimos reconocer el modelo de tu credencial. Una persona revisará tu apoyo.",
                                     "otras situaciones"),
    "card.model_uncertain": ReasonKind(_REVIEW, "Tenemos dudas sobre el modelo de tu credencial. Una persona revisará tu apoyo.",
                                       "otras situaciones"),
    "card.model_not_as_chosen": ReasonKind(_REVIEW, "El modelo que elegiste no coincide con el de la foto. Una persona revisará tu "
                                           "apoyo.", "otras situaciones"),
    "card.sides_differ": ReasonKind(_REVIEW, "El frente y el reverso parecen de credenciales distintas. Una persona revisará tu "
                                    "apoyo; usa las dos caras de la misma credencial.", "CPV no válida"),
    "card.sides_unconfirmed": ReasonKind(_REVIEW, "No pudimos confirmar que las dos fotos son de la misma credencial. Una persona "
                                         "revisará tu apoyo.", "otras situaciones"),
    "qr.unreadable": ReasonKind(_REVIEW, "No pudimos leer el código QR de tu credencial. Una persona revisará tu apoyo.",
                                "otras situaciones"),
    "qr.foreign": ReasonKind(_REVIEW, "El código QR de la credencial no tiene el formato esperado. Una persona revisará tu apoyo.",
                             "CPV no válida"),
    "qr.mrz_differs": ReasonKind(_REVIEW, "El código QR y los renglones del reverso no coinciden. Una persona revisará tu apoyo.",
                                 "CPV no válida"),
    "mrz.unreadable": ReasonKind(_REVIEW, "No pudimos leer los renglones del reverso. Una persona revisará tu apoyo.",
                                 "otras situaciones"),
    "mrz.invalid": ReasonKind(_REVIEW, "Los renglones del reverso no cuadran entre sí. Una persona revisará tu apoyo.",
                              "CPV no válida"),
    "mrz.front_differs": ReasonKind(_REVIEW, "Los datos del frente y del reverso no coinciden. Una persona revisará tu apoyo.",
                                    "CPV no válida"),
    "mrz.front_unconfirmed": ReasonKind(_REVIEW, "No pudimos comparar todos los datos del frente y del reverso. Una persona revisará "
                                        "tu apoyo.", "otras situaciones"),
    "curp.inconsistent": ReasonKind(_REVIEW, "La CURP no coincide con otros datos de la credencial. Una persona revisará tu apoyo.",
                                    "CPV no válida"),
    "curp.unreadable": ReasonKind(_REVIEW, "No pudimos leer la CURP. Una persona revisará tu apoyo.", "otras situaciones"),
    "elector_key.inconsistent": ReasonKind(_REVIEW, "La clave de elector no coincide con otros datos de la credencial. Una persona "
                                           "revisará tu apoyo.", "CPV no válida"),
    "elector_key.unreadable": ReasonKind(_REVIEW, "No pudimos leer la clave de elector. Una persona revisará tu apoyo.",
                                         "otras situaciones"),
    "support.expired": ReasonKind(_REJECTED, "Tu credencial ya no está vigente. Renuévala en un módulo del INE para poder dar tu "
                                  "apoyo.", "CPV no válida"),
    "support.expiry_doubtful": ReasonKind(_REVIEW, "No pudimos leer con certeza la vigencia de tu credencial. Una persona revisará "
                                          "tu apoyo.", "otras situaciones"),
    "support.outside_demarcation": ReasonKind(_REJECTED, "Tu credencial es de otra demarcación; este proceso solo recibe apoyos de "
                                              "la suya.", "otras situaciones"),
    "support.demarcation_doubtful": ReasonKind(_REVIEW, "No pudimos leer con certeza la sección de tu credencial. Una persona "
                                               "revisará tu apoyo.", "otras situaciones"),
    "support.processing_failed": ReasonKind(_REVIEW, "No pudimos procesar tu apoyo de forma automática. Una persona lo revisará; no "
                                            "necesitas enviarlo otra vez.", "otras situaciones"),
    "support.check_missing": ReasonKind(_REVIEW, "Falta una comprobación que este proceso exige. Una persona revisará tu apoyo.",
                                        "otras situaciones"),
    "face.no_portrait": ReasonKind(_REVIEW, "No encontramos la fotografía en tu credencial. Una persona revisará tu apoyo.",
                                   "CPV no válida"),
    "face.no_match": ReasonKind(_REVIEW, "La selfie y la fotografía de la credencial no parecen de la misma persona. Una persona "
                                "revisará tu apoyo.", "foto no válida"),
    "face.uncertain": ReasonKind(_REVIEW, "No pudimos confirmar que la selfie y la fotografía son de la misma persona. Una persona "
                                 "revisará tu apoyo.", "foto no válida"),
    "face.low_quality": ReasonKind(_REVIEW, "La fotografía de la credencial o la selfie no se ve con suficiente detalle. Una persona "
                                   "revisará tu apoyo.", "foto no válida"),
    "face.ghost_differs": ReasonKind(_REVIEW, "Las dos fotografías de la credencial no parecen de la misma persona. Una persona "
                                     "revisará tu apoyo.", "CPV no válida"),
    "selfie.unreadable_file": ReasonKind(_RETAKE, "No pudimos abrir tu selfie. Tómala y envíala otra vez.", "foto no válida"),
    "selfie.no_face": ReasonKind(_RETAKE, "No vemos tu cara en la selfie. Tómala de nuevo, de frente y con buena luz.",
                                 "foto no válida"),
    "selfie.several_faces": ReasonKind(_RETAKE, "Hay más de una persona en la selfie. Tómala de nuevo tú solo.", "foto no válida"),
    "signature.unreadable_file": ReasonKind(_RETAKE, "No pudimos abrir tu firma. Firma otra vez en la pantalla.", "sin firma"),
    "signature.missing": ReasonKind(_RETAKE, "Falta tu firma. Firma en la pantalla y envía otra vez.", "sin firma"),
    "signature.not_a_signature": ReasonKind(_RETAKE, "Lo dibujado no parece una firma. Firma otra vez en la pantalla como firmas "
                                            "siempre.", "firma no válida"),
    "signature.too_small": ReasonKind(_RETAKE, "Tu firma salió muy pequeña. Firma otra vez usando todo el recuadro.",
                                      "firma no válida"),
    "signature.cut": ReasonKind(_RETAKE, "Tu firma salió cortada. Firma otra vez dentro del recuadro.", "firma no válida"),
    "signature.doubtful": ReasonKind(_REVIEW, "Tenemos dudas sobre tu firma. Una persona revisará tu apoyo.", "firma no válida"),
}
