"""What the training lines say: machine-readable lines, printed fields, labels, and random symbols that no grammar explains."""

from __future__ import annotations

import random
from datetime import date, timedelta

from pipeline.domain.mrz import check_digit, format_td1
from pipeline.networks.line_reader import FIELDS, MRZ

SURNAMES = """ACOSTA AGUILAR AGUIRRE ALANÍS ALVARADO ÁLVAREZ ANGULO ARELLANO ARIAS ÁVILA AYALA BALLESTEROS BARRERA BAUTISTA
BECERRA BELTRÁN BENÍTEZ BRAVO BRIONES CABRERA CALDERÓN CAMACHO CAMPOS CÁRDENAS CARRILLO CASTAÑEDA CASTRO CERVANTES CHÁVEZ
CISNEROS CORTÉS COVARRUBIAS CRUZ DE_LA_CRUZ DE_LA_TORRE DEL_RÍO DELGADO DÍAZ DOMÍNGUEZ DURÁN ECHEVERRÍA ELIZONDO
ESCAMILLA ESPINOSA ESPINOZA ESQUIVEL ESTRADA FIGUEROA FLORES FUENTES GALVÁN GARCÍA GARZA GODÍNEZ GÓMEZ GONZÁLEZ
GUERRERO GUTIÉRREZ GUZMÁN HERNÁNDEZ HUERTA IBARRA ISLAS JIMÉNEZ JUÁREZ LARA LEAL LEÓN LOZANO LUJÁN MACÍAS MADRIGAL
MALDONADO MARÍN MÁRQUEZ MEJÍA MELÉNDEZ MENDOZA MEZA MIRANDA MONTAÑO MONTES_DE_OCA MORALES MUÑIZ MUÑOZ NÁJERA NAVARRETE
NÚÑEZ OCHOA OJEDA OLVERA ORDÓÑEZ OROZCO ORTEGA OSORIO PACHECO PADILLA PATIÑO PEÑA PÉREZ PONCE QUEZADA QUINTANILLA
QUIÑONES RAMÍREZ RANGEL REYES RÍOS RIVERA RODRÍGUEZ ROJAS ROSALES RUIZ SALDAÑA SALINAS SÁNCHEZ SANDOVAL SERRANO SOLÍS
SOTO SUÁREZ TÉLLEZ TOLEDO TREJO TREVIÑO URIBE VALDÉZ VALENZUELA VARGAS VÁZQUEZ VEGA VELASCO VILLANUEVA XOLALPA YÁÑEZ
ZAMORA ZAPATA ZARAGOZA ZEPEDA ZÚÑIGA WONG KURI HUITZIL JASSO MUKUL POOT XICOTÉNCATL""".split()
GIVEN = """ADRIANA AGUSTÍN ALBERTO ALEJANDRA ALFONSO ALICIA ALONDRA ANA ANDREA ÁNGEL ANTONIA ARACELI ARTURO BEATRIZ BENJAMÍN
BRENDA BRUNO CAMILA CARLOS CECILIA CÉSAR CLAUDIA CONCEPCIÓN CRISTINA CUAUHTÉMOC DANIEL DIEGO DOLORES EDGAR EDUARDO
ELENA ELIZABETH EMILIANO ENRIQUE ERIKA ESTEFANÍA EUGENIO EVA FABIOLA FELIPE FERNANDA FRANCISCO GABRIELA GERARDO
GILBERTO GLORIA GUADALUPE GUILLERMO GUSTAVO HÉCTOR HUGO IGNACIO ÍÑIGO IRMA ISABEL ITZEL IVÁN JACQUELINE JAIME JAVIER
JESÚS JOAQUÍN JORGE JOSÉ JUAN JULIA KAREN KEVIN LAURA LETICIA LILIANA LORENZO LUCÍA LUIS LUZ MA. MANUEL MARÍA MARIANA
MARIO MARTHA MATEO MAURICIO MIGUEL MIRIAM MÓNICA NANCY NATALIA NOÉ NORMA OCTAVIO OFELIA OMAR ÓSCAR PABLO PATRICIA
PEDRO PERLA QUETZALLI RAFAEL RAQUEL RAÚL REBECA RICARDO ROBERTO ROCÍO ROSA RUBÉN SALVADOR SANDRA SERGIO SILVIA SOFÍA
SUSANA TERESA TOMÁS VALERIA VERÓNICA VÍCTOR VIRIDIANA WENDY XIMENA XÓCHITL YAZMÍN YOLANDA ZOE ZYANYA""".split()
PLACES = """CUAUHTÉMOC,_CDMX BENITO_JUÁREZ,_CDMX MONTERREY,_N.L. GUADALAJARA,_JAL. PUEBLA,_PUE. TIJUANA,_B.C. MÉRIDA,_YUC.
LEÓN,_GTO. TOLUCA,_MÉX. ECATEPEC_DE_MORELOS,_MÉX. CHIHUAHUA,_CHIH. HERMOSILLO,_SON. CULIACÁN,_SIN. MORELIA,_MICH.
XALAPA,_VER. OAXACA,_OAX. TUXTLA_GUTIÉRREZ,_CHIS. VILLAHERMOSA,_TAB. ACAPULCO,_GRO. DURANGO,_DGO. SALTILLO,_COAH.
QUERÉTARO,_QRO. ZACATECAS,_ZAC. COLIMA,_COL. TEPIC,_NAY. TLAXCALA,_TLAX. CAMPECHE,_CAMP. LA_PAZ,_B.C.S.
CUERNAVACA,_MOR. PACHUCA,_HGO. CIUDAD_VICTORIA,_TAMPS. AGUASCALIENTES,_AGS. OTHÓN_P._BLANCO,_Q._ROO
SAN_LUIS_POTOSÍ,_S.L.P. LOS_ANGELES,_CALIFORNIA CHICAGO,_ILLINOIS HOUSTON,_TEXAS""".split()
STREETS = "C AV AVENIDA CALLE CALZ BLVD PRIV CDA AND RTNO CARR CJON PROL EJE CTO C. AV. PRIV. LOC EJIDO RANCHERÍA".split()
STREET_NAMES = """JUÁREZ HIDALGO MORELOS REFORMA INSURGENTES 5_DE_MAYO 20_DE_NOVIEMBRE 16_DE_SEPTIEMBRE ROBLE FRESNO PINOS
LAS_FLORES DEL_VALLE NIÑOS_HÉROES ZARAGOZA ALLENDE CONSTITUCIÓN INDEPENDENCIA RÍO_LERMA SIERRA_NEVADA FCO_I_MADERO
EMILIANO_ZAPATA MIGUEL_ÁNGEL LÁZARO_CÁRDENAS AEROPUERTO MÉXICO-PUEBLA NORTE_45 SUR_12-A ORIENTE_8 PONIENTE_103
JACARANDAS GIRASOLES QUETZALCÓATL""".split()
COLONIES = """COL COL. FRACC FRACC. U_HAB BARR BO PBLO LOC ZONA AMPL UNIDAD_HAB""".split()
LABELS = """NOMBRE|DOMICILIO|CLAVE DE ELECTOR|CURP|AÑO DE REGISTRO|ESTADO|MUNICIPIO|SECCIÓN|LOCALIDAD|EMISIÓN|VIGENCIA|
FECHA DE NACIMIENTO|SEXO|EDAD|FOLIO|MÉXICO|INSTITUTO NACIONAL ELECTORAL|INSTITUTO FEDERAL ELECTORAL|
CREDENCIAL PARA VOTAR|REGISTRO FEDERAL DE ELECTORES|DESDE EL EXTRANJERO|CREDENCIAL PARA VOTAR DESDE EL EXTRANJERO|
Desde el extranjero|Nombre del elector/Name|Domicilio del elector/Address|Año de registro/Registration year|Sexo/Sex|
Lugar de nacimiento/Place of birth|Fecha de nacimiento/Date of birth|Clave de elector|Vigencia/Expiry|Emisión/Issue|
Clave de elector/Voter ID|GÉNERO|ENTIDAD|DISTRITO|NACIONALIDAD|MUESTRA|Nombre|Domicilio|Sexo|Vigencia|Año de registro|
Fecha de nacimiento|Sección|Estado|Municipio|Localidad|Emisión|Firma|Huella|FECHA DE NACIMIENTO|SECCION|EMISION|
ANO DE REGISTRO|Edad|Folio|ELECTOR|EXTRANJERO|Indígena|Afromexicana|CURP|Lugar de nacimiento|Registration year|
Date of birth|Name|Address|Sex|SECRETARIO EJECUTIVO DEL INSTITUTO NACIONAL ELECTORAL|ELECCIONES FEDERALES|
LOCALES Y EXTRAORDINARIAS""".replace("\n", "").split("|")
CURP_PLACES = "AS BC BS CC CL CM CS CH DF DG GT GR HG JC MC MN MS NT NL OC PL QT QR SP SL SR TC TS TL VZ YN ZS NE".split()
CONFUSED = ("O0", "I1", "B8", "S5", "Z2", "G6", "D0", "Q0", "U0", "VY", "MN", "K<", "C<", "L1", "T7", "A4", "CG", "EF", "PR")
CONFUSED_FIELDS = ("O0", "I1", "B8", "S5", "Z2", "G6", "D0", "OQ", "UV", "VY", "MN", "ÑN", "ÓO", "1/", ".,", ":.", "il", "rn",
                   "ao", "LI", "OD", "ÁA", "ÍI", "OC", "CG", "-.")
_PLAIN = str.maketrans("ÁÉÍÓÚÜ", "AEIOUU")


def mrz_line(rng: random.Random) -> str:
    """A third random symbols with runs of look-alikes, so that shapes decide; the rest lines of real grammars."""
    choice = rng.random()
    if choice < 0.36:
        return _random_symbols(rng, 30, MRZ.alphabet, CONFUSED)
    if choice < 0.86:
        return rng.choice(_td1(rng))
    return _other_document(rng)


def _td1(rng: random.Random) -> tuple[str, str, str]:
    digits = "".join(rng.choices("0123456789", k=23))
    surnames = [rng.choice(SURNAMES).replace("_", " ") for _ in range(2)]
    lines = format_td1(digits[:9], digits[9:13], digits[13:22], _day(rng), rng.choice("HMHMHMX"), rng.randint(2016, 2045),
                       rng.randint(0, 99), f"{rng.randint(0, 99999):05d}", surnames[0], surnames[1], _given(rng))
    if rng.random() < 0.1:
        lines = (lines[0], lines[1], lines[2].replace("N", "X"))
    return lines


def _other_document(rng: random.Random) -> str:
    """TD1 of other states, and pieces of TD2 and TD3 lines."""
    digits = "".join(rng.choices("0123456789", k=20))
    number = "".join(rng.choices("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", k=9))
    state = "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=3))
    names = f"{_mrz_word(rng)}<{_mrz_word(rng)}<<{_mrz_word(rng)}<{_mrz_word(rng)}"
    born, ends = digits[:6], digits[6:12]
    line = rng.choice([
        f"{rng.choice('IAC')}{rng.choice('D<P')}{state}{number}{check_digit(number)}",
        f"P{rng.choice('<<<DM')}{state}{names}", f"I<{state}{names}", names,
        f"{number}{check_digit(number)}{state}{born}{check_digit(born)}{rng.choice('MF<')}{ends}{check_digit(ends)}",
        f"{born}{check_digit(born)}{rng.choice('MF<')}{ends}{check_digit(ends)}{state}",
    ]).ljust(44, "<")
    start = rng.choice((0, 0, 14))
    return line[start:start + 30]


def _random_symbols(rng: random.Random, length: int, alphabet: str, confused: tuple[str, ...]) -> str:
    text = ""
    while len(text) < length:
        if rng.random() < 0.3:
            text += "".join(rng.choices(rng.choice(confused), k=rng.randint(2, 5)))
        elif rng.random() < 0.15:
            text += rng.choice(alphabet) * rng.randint(2, 4)
        else:
            text += "".join(rng.choices(alphabet, k=rng.randint(1, 5)))
    return text[:length]


def field_line(rng: random.Random) -> str:
    """A printed line of a credential, or random symbols; only symbols of the reader's alphabet, no space at either end."""
    kinds = (_name, _address, _key, _numbers, _label, _random_field, _short_words)
    text = rng.choices(kinds, (20, 22, 20, 18, 12, 14, 14))[0](rng)
    if rng.random() < 0.4:
        text = text.translate(_PLAIN)
    return " ".join("".join(letter for letter in text if letter in FIELDS.alphabet).split())


def labels_line(rng: random.Random) -> str:
    """A short label that stands before its value."""
    return rng.choice([label for label in LABELS if len(label) <= 16])


def _name(rng: random.Random) -> str:
    surname = rng.choice(SURNAMES).replace("_", " ")
    return rng.choice((surname, surname, _given(rng), f"{_given(rng)} {surname}", _invented(rng)))


def _given(rng: random.Random) -> str:
    return " ".join(rng.sample(GIVEN, rng.choice((1, 2, 2, 3))))


def _invented(rng: random.Random) -> str:
    syllables = "BA CE DI FO GU HA JE KI LO MU ÑA PE QUI RO SU TA VE WI XO YU ZA ÑO ÑE AN EL IN OS UR".split()
    return "".join(rng.choices(syllables, k=rng.randint(2, 5)))


def _mrz_word(rng: random.Random) -> str:
    return "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=rng.randint(2, 10)))


def _address(rng: random.Random) -> str:
    name = rng.choice(STREET_NAMES).replace("_", " ")
    number = rng.choice((str(rng.randint(1, 9999)), "S/N", f"{rng.randint(1, 999)}-{rng.choice('ABC123')}",
                         f"NO. {rng.randint(1, 99)}", f"#{rng.randint(1, 999)}",
                         f"MZ {rng.randint(1, 99)} LT {rng.randint(1, 99)}",
                         f"{rng.randint(1, 999)} INT {rng.randint(1, 40)}", f"{rng.randint(1, 999)} DEPTO. {rng.choice('ABCD')}"))
    colony = rng.choice((*STREET_NAMES, *SURNAMES)).replace("_", " ")
    place = rng.choice(PLACES).replace("_", " ")
    postcode = f"{rng.randint(1000, 99999):05d}"
    lines = (f"{rng.choice(STREETS)} {name} {number}", f"{rng.choice(COLONIES).replace('_', ' ')} {colony} {postcode}",
             place, f"{rng.choice(SURNAMES).replace('_', ' ')}, {place.split(', ')[-1]}", f"{place} ({postcode})")
    line = rng.choice(lines)
    return line.title() if rng.random() < 0.06 else line


def _key(rng: random.Random) -> str:
    born = _day(rng).strftime("%y%m%d")
    letters = "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=16))
    digits = "".join(rng.choices("0123456789", k=6))
    curp = (letters[0] + rng.choice("AEIOUX") + letters[2:4] + born + rng.choice("HMHMX") + rng.choice(CURP_PLACES)
            + "".join(rng.choices("BCDFGHJKLMNPQRSTVWXYZ", k=3)) + rng.choice("0000ABCD123") + digits[0])
    clave = letters[:6] + born + f"{rng.randint(1, 32):02d}" + rng.choice("HM") + digits[1:4]
    return rng.choice((curp, clave, curp, clave, f"CURP {curp}", f"CLAVE DE ELECTOR {clave}", f"CURP: {curp}",
                       f"CLAVE DE ELECTOR: {clave}"))


def _numbers(rng: random.Random) -> str:
    day, year = _day(rng).strftime("%d/%m/%Y"), rng.randint(1988, 2045)
    issue, section, municipality = (f"{rng.randrange(top):0{len(str(top - 1))}d}" for top in (32, 10_000, 570))
    return rng.choice((
        day, day, f"{year} - {year + 10}", f"{year} - {year + 10}", f"{year}-{year + 10}", f"{year} {issue}", f"{year} {issue}",
        f"{year}", section, issue, municipality, f"SEXO {rng.choice('HMX')}", rng.choice("HMX"),
        f"AÑO DE REGISTRO {year} {issue}", f"VIGENCIA {year}", f"VIGENCIA {year} - {year + 10}", f"SECCIÓN {section}",
        f"EMISIÓN {year}", f"ESTADO {issue} MUNICIPIO {municipality} SECCIÓN {section}",
        f"LOCALIDAD {section} EMISIÓN {year} VIGENCIA {year + 10}", f"ESTADO {issue}", f"MUNICIPIO {municipality}",
        f"LOCALIDAD {section}", f"FECHA DE NACIMIENTO {day}", f"EDAD {rng.randint(18, 99)}",
        f"FOLIO {rng.randrange(10**10):010d}",
        f"{rng.randrange(10**13):013d}", f"SECCIÓN {section} VIGENCIA {year} - {year + 10}"))


def _label(rng: random.Random) -> str:
    return rng.choice(LABELS)


def _random_field(rng: random.Random) -> str:
    mixed = rng.random() < 0.3
    alphabet = FIELDS.alphabet if mixed else "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ" + (" /-.,#" if rng.random() < 0.5 else "")
    pairs = tuple(pair for pair in CONFUSED_FIELDS if mixed or pair.isupper() or not pair.isalpha())
    return _random_symbols(rng, rng.randint(1, 20), alphabet, pairs)


def _short_words(rng: random.Random) -> str:
    """Of letters or of digits, one space between two: no word that was learnt tells where the space stands."""
    letters, digits = "ABCDEFGHIJKLMNÑOPQRSTUVWXYZ", "0123456789"
    alphabets = rng.choices((letters, digits), (2, 1), k=rng.randint(2, 6))
    return " ".join("".join(rng.choices(alphabet, k=rng.randint(1, 5))) for alphabet in alphabets)


def _day(rng: random.Random) -> date:
    return date(1930, 1, 1) + timedelta(days=rng.randrange(28_400))
