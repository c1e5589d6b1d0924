"""Every way of breaking one decision of a module: its source with one place changed.

A decision is a condition, an operand, a comparison, a table's entry, a value that is returned or
noted, a statement that notes it, a case of a `match`. Assertions and annotations are none.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from types import CodeType

OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OTHER_FUNCTION = {"any": "all", "all": "any", "min": "max", "max": "min", "sorted": "list", "reversed": "list"}
TESTS = ("test", "guard", "ifs")
"""The fields in which an expression decides."""

UNLIKELY = "✗"
SHORT = 70


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a node hangs: `parent.field`, or its item `index`."""

    parent: ast.AST
    field: str
    index: int | None

    def put(self, node: ast.AST) -> None:
        if isinstance(node, ast.Module):
            setattr(self.parent, self.field, node.body)
        elif self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


@dataclass(frozen=True, slots=True)
class Mutant:
    """`key` names it as long as the code around it stays; `line` is where it is today.

    `lines`: where it can be run; none where it is run on import.
    """

    module: str
    line: int
    key: str
    lines: range | None
    _tree: ast.Module
    _slot: Slot
    _old: ast.AST
    _new: ast.AST

    def compiled(self) -> CodeType:
        self._slot.put(self._new)
        try:
            return compile(ast.fix_missing_locations(self._tree), f"{self.module}.py", "exec")
        finally:
            self._slot.put(self._old)


def mutants(module: str, source: str) -> list[Mutant]:
    """All mutants of `source`, each once, by line."""
    tree = ast.parse(source)
    found: list[Mutant] = []
    seen: Counter[str] = Counter()
    for node, slot, rule, within in _nodes(tree, None, "", ()):
        for new in _changes(node, slot, within):
            change = _change(node, new)
            key = f"{module}{'.' if rule else ''}{rule}: {change}"
            seen[key] += 1
            numbered = key if seen[key] == 1 else f"{key} ({seen[key]})"
            line = getattr(node, "lineno", 0)
            found.append(Mutant(module, line, numbered, _lines((*within, node)), tree, slot, node, new))
    return found


def rules(module: str, source: str) -> list[Mutant]:
    """The rules of `source`, each broken as a whole: a function says nothing any more, a table lacks an entry."""
    tree = ast.parse(source)
    found = [mutant for mutant in mutants(module, source) if mutant.lines is None]
    holders: list[ast.Module | ast.ClassDef] = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]
    for holder in holders:
        for function in holder.body:
            if isinstance(function, ast.FunctionDef) and not function.name.startswith("__"):
                name = f"{holder.name}.{function.name}" if isinstance(holder, ast.ClassDef) else function.name
                found += _silenced(module, tree, name, function)
    return found


def _silenced(module: str, tree: ast.Module, name: str, function: ast.FunctionDef) -> Iterator[Mutant]:
    lines = range(function.lineno, (function.end_lineno or function.lineno) + 1)
    whole = ast.Module(function.body, [])
    for answer in _nothing(function.returns):
        body = ast.parse(f"def f():\n    return {answer}").body[0]
        assert isinstance(body, ast.FunctionDef)
        slot = Slot(function, "body", None)
        key = f"{module}.{name}: answers {answer}"
        yield Mutant(module, function.lineno, key, lines, tree, slot, whole, ast.Module(body.body, []))


NOTHING = {
    "bool": ("False", "True"), "int": ("0",), "Instant": ("0",), "str": ("''",), "list": ("[]",), "tuple": ("()",),
    "dict": ("{}",), "frozenset": ("frozenset()",), "Iterator": ("iter(())",),
}  # fmt: skip
"""What a function of this type answers that has nothing to say; any other: None."""


def _nothing(returns: ast.expr | None) -> tuple[str, ...]:
    text = "" if returns is None else ast.unparse(returns)
    return ("None",) if "None" in text else NOTHING.get(text.partition("[")[0], ("None",))


def _lines(path: Sequence[ast.AST]) -> range | None:
    """Those of the whole expression or simple statement; of a compound one, only of the expression in its head."""
    if not any(isinstance(one, ast.FunctionDef | ast.Lambda) for one in path):
        return None
    statement = max(index for index, one in enumerate(path) if isinstance(one, ast.stmt))
    outermost = next((one for one in path[statement:] if isinstance(one, ast.expr)), path[statement])
    if not hasattr(path[statement], "body"):
        outermost = path[statement]
    return range(outermost.lineno, (outermost.end_lineno or outermost.lineno) + 1)  # type: ignore[attr-defined]


def _nodes(
    node: ast.AST, slot: Slot | None, rule: str, within: tuple[ast.AST, ...]
) -> Iterator[tuple[ast.AST, Slot, str, tuple[ast.AST, ...]]]:
    """Each node that can be changed, where it hangs, the function or class it is in, and what is around it."""
    if isinstance(node, ast.Assert | ast.arguments | ast.Import | ast.ImportFrom | ast.JoinedStr) or _names_a_type(
        node
    ):
        return
    if slot is not None:
        yield node, slot, rule, within
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        rule = f"{rule}.{node.name}" if rule else node.name
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        if isinstance(value, ast.AST):
            yield from _nodes(value, Slot(node, field, None), rule, (*within, node))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield from _nodes(item, Slot(node, field, index), rule, (*within, node))


def _names_a_type(node: ast.AST) -> bool:
    return isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias"


def _changes(node: ast.AST, slot: Slot, within: tuple[ast.AST, ...]) -> Iterator[ast.AST]:
    in_function = any(isinstance(one, ast.FunctionDef | ast.Lambda) for one in within)
    if isinstance(node, ast.expr) and slot.field in TESTS:
        if not isinstance(slot.parent, ast.While):  # for ever is no decision
            yield ast.Constant(True)
        yield ast.Constant(False)
    match node:
        case ast.BoolOp():
            yield from _bool_op(node, slot)
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.Compare():
            yield from _comparisons(node)
        case ast.BinOp(op=ast.Add()):
            yield ast.BinOp(node.left, ast.Sub(), node.right)
        case ast.BinOp(op=ast.Sub()):
            yield ast.BinOp(node.left, ast.Add(), node.right)
        case ast.Call(func=ast.Name(id=name)) if name in OTHER_FUNCTION:
            kept = [] if OTHER_FUNCTION[name] == "list" else node.keywords
            yield ast.Call(ast.Name(OTHER_FUNCTION[name], ast.Load()), node.args, kept)
        case ast.Subscript(slice=ast.Constant(value=0)) if in_function:
            yield ast.Subscript(node.value, ast.UnaryOp(ast.USub(), ast.Constant(1)), node.ctx)
        case ast.Subscript(slice=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1))) if in_function:
            yield ast.Subscript(node.value, ast.Constant(0), node.ctx)
        case ast.Constant() if in_function and _is_concluded(node, within):
            yield from _other_constant(node)
        case ast.Constant() if not in_function and isinstance(slot.parent, ast.Assign | ast.Tuple):
            yield from _other_constant(node) if _is_named(within) else ()
        case ast.Dict() | ast.Tuple() | ast.Set() | ast.List() if not in_function and not _is_named(within):
            yield from _without_each_entry(node)
        case ast.Expr(value=ast.Call() | ast.Yield() | ast.YieldFrom()) | ast.AugAssign() if in_function:
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) if in_function:
            yield ast.Pass()
        case ast.Continue() | ast.Break():
            yield ast.Pass()
        case ast.Match() if len(node.cases) > 1:
            for index in range(len(node.cases)):
                yield ast.Match(node.subject, [*node.cases[:index], *node.cases[index + 1 :]])
        case ast.MatchOr():
            for index in range(len(node.patterns)):
                kept_patterns = [*node.patterns[:index], *node.patterns[index + 1 :]]
                yield kept_patterns[0] if len(kept_patterns) == 1 else ast.MatchOr(kept_patterns)


def _bool_op(node: ast.BoolOp, slot: Slot) -> Iterator[ast.AST]:
    for index in range(len(node.values)):
        kept = [*node.values[:index], *node.values[index + 1 :]]
        yield kept[0] if len(kept) == 1 else ast.BoolOp(node.op, kept)
    if slot.field not in TESTS:
        yield ast.Constant(isinstance(node.op, ast.Or))


def _comparisons(node: ast.Compare) -> Iterator[ast.AST]:
    for index, op in enumerate(node.ops):
        yield ast.Compare(
            node.left, [*node.ops[:index], OPPOSITE[type(op)](), *node.ops[index + 1 :]], node.comparators
        )


def _is_concluded(node: ast.Constant, within: tuple[ast.AST, ...]) -> bool:
    """Whether it is part of what is returned, yielded or noted, not of a question asked on the way."""
    if node.value is None or node.value is Ellipsis:
        return False
    for one in reversed(within):
        match one:
            case ast.Compare() | ast.Subscript() | ast.Slice() | ast.BinOp():
                return False
            case ast.Call(func=ast.Attribute(attr="get" | "pop" | "split" | "partition" | "rpartition" | "rsplit")):
                return False
            case ast.Return() | ast.Yield() | ast.Assign() | ast.AnnAssign() | ast.keyword():
                return True
            case ast.stmt():
                return False
    return False


def _other_constant(node: ast.Constant) -> Iterator[ast.AST]:
    match node.value:
        case bool():
            yield ast.Constant(not node.value)
        case int():
            yield ast.Constant(1000 if node.value == 0 else 0)
        case str():
            yield ast.Constant(UNLIKELY)


def _is_named(within: tuple[ast.AST, ...]) -> bool:
    """Whether the statement is `NAME = constant` or `A, B = 1, 2`: no table, but constants with names."""
    statement = next((one for one in reversed(within) if isinstance(one, ast.stmt)), None)
    return isinstance(statement, ast.Assign) and (
        isinstance(statement.targets[0], ast.Tuple) or isinstance(statement.value, ast.Constant)
    )


def _without_each_entry(node: ast.Dict | ast.Tuple | ast.Set | ast.List) -> Iterator[ast.AST]:
    if isinstance(node, ast.Dict):
        for index in range(len(node.keys)):
            kept = range(len(node.keys))
            yield ast.Dict([node.keys[i] for i in kept if i != index], [node.values[i] for i in kept if i != index])
        return
    for index in range(len(node.elts)):
        elements = [*node.elts[:index], *node.elts[index + 1 :]]
        yield ast.Set(elements) if isinstance(node, ast.Set) and elements else _sequence(node, elements)


def _sequence(node: ast.Tuple | ast.Set | ast.List, elements: list[ast.expr]) -> ast.expr:
    return ast.List(elements, ast.Load()) if isinstance(node, ast.List) else ast.Tuple(elements, ast.Load())


def _change(old: ast.AST, new: ast.AST) -> str:
    """`old → new`, or what is left out of a table or a chain of operands."""
    before, after = _parts(old), _parts(new)
    left_out = next((part for part, kept in zip_longest(before, after) if part != kept), None)
    if left_out is not None and len(after) == len(before) - 1 and type(old) is type(new):
        return f"{_text(old)} without {_text(left_out)}"
    return f"{_text(old)} → {_text(new)}"


def _parts(node: ast.AST) -> Sequence[ast.AST]:
    match node:
        case ast.Dict():
            return [key for key in node.keys if key is not None]
        case ast.Tuple() | ast.Set() | ast.List():
            return node.elts
        case ast.BoolOp():
            return node.values
        case ast.Match():
            return [case.pattern for case in node.cases]
        case ast.MatchOr():
            return node.patterns
    return []


def _text(node: ast.AST) -> str:
    """The node's source on one line, short enough to read: the middle of a long one is left out."""
    text = " ".join(_unparsed(node).split())
    return text if len(text) <= SHORT else f"{text[: SHORT // 2]} … {text[-SHORT // 2 :]}"


def _unparsed(node: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(node))
