"""Files damaged in every way that a disk, an editor or another version may damage them."""

import json
import random

OTHERS = (
    b"", b"\x00" * 64, b"{}", b"[]", b"null", b"3", b'"text"', b"[[[[]]]]", b"{\"a\": 1}", b"NaN",
    b"[1, 2", b"\xff\xfe{\x00}\x00", b"\x89PNG\r\n\x1a\n\x00", b"- a\n- b: c\n", b"[" * 100_000,
    b'{"a":' * 50_000, b"<html></html>", b"\xef\xbb\xbf{}", b'["\\ud800"]', b"1" * 5000, b"\n",
)  # fmt: skip
VALUES = (
    None, True, 3, -1, 1e308, 10**30, 10**400, "", "text", "inf", "../x", [], {}, [None],
    {"a": []}, float("nan"), float("inf"), "\x1b[2J", "<script>", [[[[[[]]]]]],
    json.loads("[" * 450 + "]" * 450),
)  # fmt: skip


def damaged(content, chance):
    """The file's bytes, damaged, and what was done to them; never the same bytes."""
    while True:
        how = chance.choice(WAYS)
        made = how(content, chance)
        if made is not None and made != content:
            return made, how.__name__


def cut(content, chance):
    return content[: chance.randrange(len(content))]


def flipped(content, chance):
    at = chance.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << chance.randrange(8))]) + content[at + 1 :]


def overwritten(content, chance):
    at, length = chance.randrange(len(content)), chance.randrange(1, 64)
    return content[:at] + chance.randbytes(length) + content[at + length :]


def doubled(content, chance):
    at = chance.randrange(len(content))
    return content[:at] + content[at : at + 200] + content[at:]


def another(content, chance):
    return chance.choice(OTHERS)


def edited(content, chance):
    """JSON with one place in it changed, wherever it is."""
    try:
        tree = json.loads(content)
    except ValueError:
        return None
    places = [*inside(tree)]
    holder, key = chance.choice(places)
    what = chance.choice(("removed", "renamed", "other", "repeated", "digit"))
    if what == "removed":
        del holder[key]
    elif what == "renamed" and isinstance(holder, dict):
        holder[f"{key}_"] = holder.pop(key)
    elif what == "repeated" and isinstance(holder, list):
        holder.insert(key, holder[key])
    elif what == "digit" and isinstance(holder[key], float):
        holder[key] += 0.001
    else:
        holder[key] = chance.choice(VALUES)
    return json.dumps(tree).encode() if differs(tree, json.loads(content)) else None


def differs(one, other):
    """Whether they would be other JSON; a number and a truth value are not the same."""
    return json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True)


def twice(content, chance):
    """A key that is there twice."""
    text = content.decode(errors="replace")
    return text.replace("{", '{"id": 1, "id": 2, ', 1).encode() if text.startswith("{") else None


WAYS = (cut, flipped, overwritten, doubled, another, edited, edited, edited, twice)


def inside(tree):
    """Every place in the tree as its holder and key."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in [*pairs]:
        yield tree, key
        if isinstance(value, dict | list):
            yield from inside(value)


def chances(count, seed=0):
    """So many independent sources of chance."""
    return [random.Random(f"{seed} {i}") for i in range(count)]
