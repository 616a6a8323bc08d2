"""As much of XML Schema as the published schema of JUnit XML uses, so that no library is needed to keep to it.

Global elements; a sequence of references with how often each may stand; attributes, required or not; mixed content; and
elements of the type `xs:string`. Anything else in a schema is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

XS = "{http://www.w3.org/2001/XMLSchema}"
KNOWN = {f"{XS}{name}" for name in ("schema", "element", "complexType", "sequence", "attribute")}

Element = ElementTree.Element


class Xsd:
    """One schema, read from a file."""

    def __init__(self, path: Path) -> None:
        root = ElementTree.parse(path).getroot()
        assert {one.tag for one in root.iter()} <= KNOWN, "more of XML Schema than is understood here"
        self.elements = {str(one.get("name")): one for one in root.findall(f"{XS}element")}

    def complaints(self, element: Element) -> list[str]:
        """Everything in which the element, and what is in it, does not keep to the schema."""
        declared = self.elements.get(element.tag)
        if declared is None:
            return [f"{element.tag}: no such element"]
        kind = declared.find(f"{XS}complexType")
        if kind is None:
            extra = [*element.attrib, *(child.tag for child in element)]
            return [f"{element.tag}: {name} in a plain text" for name in extra]
        return [
            *_attributes(element, kind),
            *_text(element, kind),
            *_order(element, kind.find(f"{XS}sequence")),
            *(found for child in element for found in self.complaints(child)),
        ]


def _attributes(element: Element, kind: Element) -> list[str]:
    declared = {str(one.get("name")): one.get("use") for one in kind.findall(f"{XS}attribute")}
    return [
        *(f"{element.tag}: an attribute {name}" for name in element.attrib if name not in declared),
        *(
            f"{element.tag}: no attribute {name}"
            for name, use in declared.items()
            if use == "required" and name not in element.attrib
        ),
    ]


def _text(element: Element, kind: Element) -> list[str]:
    words = [element.text, *(child.tail for child in element)]
    mixed = kind.get("mixed") == "true"
    return [f"{element.tag}: text" for word in words if word and word.strip() and not mixed]


def _order(element: Element, sequence: Element | None) -> list[str]:
    children: list[str] = [child.tag for child in element]
    at = 0
    for one in sequence if sequence is not None else ():
        counted = 0
        while at < len(children) and children[at] == one.get("ref"):
            at, counted = at + 1, counted + 1
        if not _fits(counted, one):
            return [f"{element.tag}: {one.get('ref')} stands {counted} times"]
    return [f"{element.tag}: {name} out of place" for name in children[at:]]


def _fits(counted: int, reference: Any) -> bool:
    most = reference.get("maxOccurs", "1")
    return int(reference.get("minOccurs", "1")) <= counted and (most == "unbounded" or counted <= int(most))
