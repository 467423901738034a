"""Codes: what DICOM calls a structure, so that other programs know a liver by more than its name.

Codes are SNOMED CT ("SCT"); the older SNOMED-RT codes such as T-62000 ("SRT") are turned into these where
pydicom knows them. Sources: DICOM PS3.16, CID 7150, 7151 and those that they include.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sammed_volumes.errors import LabelError

_CODE = re.compile(r"(?:(?P<scheme>[A-Za-z0-9_]+):)?(?P<value>[A-Za-z0-9.-]{1,16})")
_SNOMED_RT = re.compile(r"[A-Z]-[0-9A-Z]+")


@dataclass(frozen=True, slots=True)
class StructureCode:
    """A coded concept: a value in a coding scheme, and its meaning in words."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class NamedCode:
    """The code that the label of a name gets; case aside."""

    name: str
    code: StructureCode


TISSUE = StructureCode("85756007", "SCT", "Tissue")
"""What is known of a label without a code: category and type."""

ANATOMICAL = StructureCode("123037004", "SCT", "Anatomical Structure")
ABNORMAL = StructureCode("49755003", "SCT", "Morphologically Abnormal Structure")

_ABNORMAL_VALUES = ("108369006", "52988006", "41796003", "14799000", "86049000", "79654002")
_KNOWN = {
    "liver": "10200004",
    "spleen": "78961009",
    "pancreas": "15776009",
    "kidney": "64033007",
    "kidneys": "64033007",
    "left kidney": "18639004",
    "right kidney": "9846003",
    "stomach": "69695003",
    "gallbladder": "28231008",
    "gall bladder": "28231008",
    "esophagus": "32849002",
    "duodenum": "38848004",
    "small intestine": "30315005",
    "colon": "71854001",
    "rectum": "34402009",
    "bladder": "89837001",
    "urinary bladder": "89837001",
    "prostate": "41216001",
    "uterus": "35039007",
    "aorta": "15825003",
    "inferior vena cava": "64131007",
    "heart": "80891009",
    "lung": "39607008",
    "lungs": "39607008",
    "left lung": "44029006",
    "right lung": "3341006",
    "trachea": "44567001",
    "thyroid": "69748006",
    "brain": "12738006",
    "hippocampus": "5366008",
    "bone": "272673000",
    "vertebra": "51282000",
    "femur": "71341001",
    "tumor": "108369006",
    "neoplasm": "108369006",
    "lesion": "52988006",
}


def parse_code(text: str) -> NamedCode:
    """A label's name and its code, from text such as liver=T-62000, liver=10200004 or liver=SCT:10200004.

    >>> parse_code("liver=10200004").code.scheme
    'SCT'
    """
    name, equals, code = text.rpartition("=")
    match = _CODE.fullmatch(code.strip())
    if not (equals and name.strip() and match):
        raise LabelError(f"{text!r} is not a code of a label; write NAME=CODE, such as liver=T-62000.")
    value, scheme = match["value"], match["scheme"]
    if scheme is None:
        scheme = "SRT" if _SNOMED_RT.fullmatch(value) else "SCT" if value.isdecimal() else None
    if scheme is None:
        raise LabelError(f"The coding scheme of {value} is unknown; write SCHEME:{value}.")
    return NamedCode(name.strip(), StructureCode(value, scheme, name.strip()))


def named_codes(codes: Mapping[str, str] | Iterable[NamedCode]) -> tuple[NamedCode, ...]:
    """Codes from a mapping such as {"liver": "T-62000"}; those that are parsed already as they are."""
    if isinstance(codes, Mapping):
        return tuple(parse_code(f"{name}={code}") for name, code in codes.items())
    return tuple(codes)


def code_of(name: str, given: Sequence[NamedCode] = ()) -> StructureCode:
    """The code of a label: the one that is given, else that of a well-known structure, else tissue."""
    wanted = _plain(name)
    for each in given:
        if _plain(each.name) == wanted:
            return _as_snomed_ct(each.code)
    known = _KNOWN.get(wanted)
    return StructureCode(known, "SCT", wanted.capitalize()) if known else TISSUE


def category_of(code: StructureCode) -> StructureCode:
    """What kind of structure a code is of."""
    if code == TISSUE:
        return TISSUE
    return ABNORMAL if code.scheme == "SCT" and code.value in _ABNORMAL_VALUES else ANATOMICAL


def _as_snomed_ct(code: StructureCode) -> StructureCode:
    from pydicom.sr._snomed_dict import mapping

    if code.scheme != "SRT" or code.value not in mapping["SRT"]:
        return code
    return StructureCode(mapping["SRT"][code.value], "SCT", code.meaning)


def _plain(name: str) -> str:
    """A name in the form to compare: "Left_Kidney" is "left kidney"."""
    return re.sub(r"[\s_-]+", " ", name).strip().casefold()
