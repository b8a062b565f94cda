"""Says which templates only place their variables: what they write is made of constant pieces and of the values.

This is decided by the syntax. Such a template may choose and repeat by what is true and by what is constant, extend
and include others by name, and apply the filters of `filters`. It may not take output as a value again (a macro, a
`set` block, a `filter` block, `~`), call anything, or use another filter or a test: these could look into a value.
What a value itself refuses is refused when the template runs (`hole`).
"""

import jinja2
from jinja2 import nodes

from mail_sender.templating.filters import FILTERS

_PLAIN = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.Getattr, nodes.Getitem,
    nodes.Slice, nodes.For, nodes.If, nodes.CondExpr, nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand,
    nodes.Block, nodes.Extends, nodes.Include, nodes.Assign, nodes.With, nodes.Tuple, nodes.Filter,
)  # fmt: skip


def only_places(environment: jinja2.Environment, name: str) -> bool:
    """Say whether a template, with all that it extends and includes, only places its variables."""
    wanted, seen = [name], set[str]()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        tree = _parsed(environment, name)
        if tree is None or not all(_is_plain(node) for node in _nodes(tree)):
            return False
        wanted += [other.template.value for other in tree.find_all((nodes.Extends, nodes.Include))]  # type: ignore[attr-defined]  # both have it, a constant: see _is_plain
    return True


def _parsed(environment: jinja2.Environment, name: str) -> nodes.Template | None:
    try:
        source, _, _ = environment.loader.get_source(environment, name)  # type: ignore[union-attr]  # a sandbox has one
        return environment.parse(source, name)
    except (jinja2.TemplateError, SyntaxError, ValueError, RecursionError):
        return None


def _nodes(tree: nodes.Node) -> list[nodes.Node]:
    return [tree, *tree.find_all(nodes.Node)]


def _is_plain(node: nodes.Node) -> bool:
    match node:
        case nodes.Filter():
            return node.name in FILTERS
        case nodes.For():
            return not node.recursive
        case nodes.Extends() | nodes.Include():
            return isinstance(node.template, nodes.Const) and isinstance(node.template.value, str)
        case _:
            return isinstance(node, _PLAIN)
