"""A page as a screen reader has it: Chromium's accessibility tree, read aloud as lines, and what is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

CONTROLS = frozenset({
    "button", "checkbox", "combobox", "DisclosureTriangle", "link", "listbox", "menuitem", "option", "radio",
    "searchbox", "slider", "spinbutton", "switch", "tab", "textbox", "Video", "Canvas",
})  # fmt: skip
"""Roles that somebody can act on."""
NAMED = CONTROLS | {"dialog", "form", "image", "navigation", "progressbar", "radiogroup", "region", "search"}
"""Roles that mean nothing without a name."""
SILENT = frozenset({
    "RootWebArea", "generic", "InlineTextBox", "none", "LineBreak", "LayoutTable", "ListMarker", "Figcaption",
    "paragraph", "DescriptionList", "definition",
})  # fmt: skip
"""Roles that are not said; what is in them is."""
LABELS = frozenset({"LabelText", "Legend"})
"""Roles whose words are said with what they label."""
WHOLE = CONTROLS | {"heading", "term"}
"""Roles whose name is said for all that is in them."""
STATES = ("pressed", "checked", "expanded", "disabled", "level", "value")


@dataclass(frozen=True)
class Said:
    """One thing that a screen reader says."""

    role: str
    name: str
    states: dict[str, Any]
    is_focusable: bool

    def __str__(self) -> str:
        states = [str(value) if name in ("level", "value") else name if value in (True, "true") else f"not {name}"
                  for name, value in self.states.items()]  # fmt: skip
        return ", ".join(each for each in (self.role, self.name, *states) if each)


def read_aloud(page) -> list[Said]:
    """What is said of a page from its start to its end."""
    session = page.context.new_cdp_session(page)
    session.send("Accessibility.enable")
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    by_id = {node["nodeId"]: node for node in nodes}
    return list(_said_of(nodes[0], by_id, is_told=False))


def _said_of(node: dict[str, Any], by_id: dict[str, Any], is_told: bool) -> Iterator[Said]:
    role, name = (node.get(key, {}).get("value", "") for key in ("role", "name"))
    properties = {each["name"]: each["value"].get("value") for each in node.get("properties", ())}
    if "value" in node:
        properties["value"] = node["value"].get("value")
    is_text = role == "StaticText"
    if is_text and is_told:
        return
    is_told = is_told or role in LABELS | WHOLE
    if not node["ignored"] and role not in SILENT | LABELS:
        known = [key for key in STATES if key in properties and (key != "level" or role == "heading")]
        states = {key: properties[key] for key in known}
        yield Said("" if is_text else role, " ".join(name.split()), states, bool(properties.get("focusable")))
    elif not node["ignored"] and properties.get("focusable") and role != "RootWebArea":
        yield Said(role, " ".join(name.split()), {}, True)
    for child in node.get("childIds", ()):
        if child in by_id:
            yield from _said_of(by_id[child], by_id, is_told)


def faults(said: list[Said]) -> list[str]:
    """Controls and regions without a name, what has the focus and no role, and headings out of order."""
    found = [f"no name: {each}" for each in said if each.role in NAMED and not each.name]
    found += [f"no role: {each}" for each in said if each.is_focusable and each.role in ("generic", "none")]
    levels = [(int(each.states["level"]), each.name) for each in said if each.role == "heading"]
    first = 2 if said and said[0].role == "dialog" else 1
    if first == 1 and [level for level, _ in levels].count(1) != 1:
        found.append(f"not one first heading: {levels}")
    above = first - 1
    for level, name in levels:
        found += [f"a heading of level {level} below one of {above}: {name}"] * (level > above + 1)
        above = level
    return found


STOP = """(before) => {
  const here = document.activeElement, last = window.lastStop;
  if (!here || here === document.body) return null;
  window.lastStop = here;
  const box = here.getBoundingClientRect(), at = last?.getBoundingClientRect();
  const told = (one) => one.outerHTML.slice(0, 120);
  const isBack = last && !(last.compareDocumentPosition(here) & Node.DOCUMENT_POSITION_FOLLOWING);
  const isAbove = last && here.offsetParent === last.offsetParent && box.bottom < at.top && box.left < at.right;
  return { told: told(here), isBack: Boolean(isBack), isAbove: Boolean(isAbove) };
}"""


def stops(page, most: int = 200) -> list[dict[str, Any]]:
    """Where the focus goes by Tab, from the start of the page to its end; each tells whether it went back or up."""
    page.evaluate("""() => {
      window.lastStop = null;
      document.body.tabIndex = -1;
      document.body.focus();
      document.body.removeAttribute("tabindex");
    }""")
    found = []
    for _ in range(most):
        page.keyboard.press("Tab")
        if (stop := page.evaluate(STOP)) is None or (found and stop["isBack"] and stop["told"] == found[0]["told"]):
            break
        found.append(stop)
    return found
