#!/usr/bin/env python3
"""Reads .proto files as plain text and prints a Markdown reference of their comments.

It knows the subset of the language that proto/ uses: one declaration a line, comments before a
declaration or behind it, nested messages and enums, oneofs. Anything else is an error, so that the
page never silently lacks something.
"""
import re
import sys


class Block:
    def __init__(self, kind, name, comment):
        self.kind, self.name, self.comment = kind, name, comment
        self.rows = []  # (declaration parts..., comment)
        self.blocks = []


FIELD = re.compile(r"^(repeated |optional )?(map<[^>]+>|[\w.]+) (\w+) = (\d+)(?: \[.*\])?;$")
VALUE = re.compile(r"^(\w+) = (\d+);$")
RPC = re.compile(r"^rpc (\w+)\((stream )?([\w.]+)\) returns \((stream )?([\w.]+)\);$")
ONE_LINE = re.compile(r"^message (\w+) \{\s*(.*?)\s*\}$")


def parse(path):
    root = Block("file", path.split("/")[-1], [])
    stack, pending, last = [root], [], None
    for number, raw in enumerate(open(path, encoding="utf-8"), 1):
        line = raw.strip()
        code, _, behind = line.partition("//")
        code, behind = code.strip(), behind[1:] if behind.startswith(" ") else behind
        if not code:
            if line.startswith("//"):
                pending.append(behind)
            else:
                if pending and stack[-1] is root and not root.comment and not root.blocks:
                    root.comment = pending
                pending = []
            continue
        comment = pending + ([behind] if behind else [])
        pending = []
        top = stack[-1]
        if re.match(r"^(syntax|package|import|option) ?", code):
            if not root.comment:
                root.comment = comment
            continue
        if re.match(r"^(message|enum|service) \w+ \{$", code):
            kind, name = code.split()[:2]
            block = Block(kind, name, comment)
            (root if top is root else top).blocks.append(block)
            stack.append(block)
        elif ONE_LINE.match(code):
            name, body = ONE_LINE.match(code).groups()
            block = Block("message", name, comment)
            for part in filter(None, (p.strip() for p in body.split(";"))):
                label, kind, field, tag = FIELD.match(part + ";").groups()
                block.rows.append((field, (label or "") + kind, tag, []))
            top.blocks.append(block)
        elif code.startswith("oneof "):
            stack.append(Block("oneof", code.split()[1], comment))
            stack[-1].rows = top.rows
        elif code == "}":
            stack.pop()
        elif RPC.match(code) and top.kind == "service":
            name, s1, request, s2, response = RPC.match(code).groups()
            top.rows.append((name, (s1 or "") + request, (s2 or "") + response, comment))
        elif VALUE.match(code) and top.kind == "enum":
            top.rows.append((*VALUE.match(code).groups(), comment))
        elif FIELD.match(code):
            label, kind, field, tag = FIELD.match(code).groups()
            one_of = "one of: " if top.kind == "oneof" else ""
            top.rows.append((field, one_of + (label or "") + kind, tag, comment))
        else:
            sys.exit(f"{path}:{number}: cannot read this line: {code}")
    if len(stack) != 1:
        sys.exit(f"{path}: {stack[-1].name} is not closed")
    return root


def text(comment):
    """Prose: indented lines are lists of codes or continue the item above."""
    out = []
    for line in comment:
        item = re.match(r"^ {2,}([A-Z_]{4,})\s{2,}(.*)$", line)
        if item:
            out.append(f"\n- `{item.group(1)}` {item.group(2)}")
        elif not line:
            out.append("\n")
        else:
            out.append(line.strip())
    joined = " ".join(out)
    return re.sub(r" *\n *", "\n", joined).replace("\n-", "\n\n-", 1).strip()


def cell(comment):
    return " ".join(line.strip() for line in comment).replace("|", "\\|").strip()


def show(block, prefix=""):
    name = prefix + block.name
    print(f"\n### {block.kind} `{name}`")
    if block.comment:
        print("\n" + text(block.comment))
    if block.kind == "service":
        for rpc, request, response, comment in block.rows:
            print(f"\n#### `{rpc}`\n\n`{request}` -> `{response}`")
            if comment:
                print("\n" + text(comment))
    elif block.kind == "enum" and block.rows:
        print("\n| value | number | meaning |\n|---|---|---|")
        for value, number, comment in block.rows:
            print(f"| `{value}` | {number} | {cell(comment)} |")
    elif block.rows:
        print("\n| field | type | tag | meaning |\n|---|---|---|---|")
        for field, kind, tag, comment in block.rows:
            print(f"| `{field}` | {kind.replace('<', '&lt;')} | {tag} | {cell(comment)} |")
    for inner in block.blocks:
        show(inner, name + ".")


def main():
    print("# Protocols\n\nGenerated from `proto/` by `scripts/docs/protocol.sh`; "
          "edit the comments there.")
    for path in sys.argv[1:]:
        root = parse(path)
        print(f"\n## {root.name}")
        if root.comment:
            print("\n" + text(root.comment))
        for block in root.blocks:
            show(block)


main()
