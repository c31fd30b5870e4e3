"""The first code on a host, in a real interpreter: modules out of bundles, as source or as code, and who runs then."""

from __future__ import annotations

import json
import sys
from importlib.util import MAGIC_NUMBER
from typing import Any

from mpboot.node import bundle
from tests.node.played import bundle_of, start_host

LEAF = """
made_of = %r
def main(payload, store):
    import json, sys
    sys.stdout.write(json.dumps(told(payload, store)))
    return "line", "config", "messages"
"""
AGENT = """
class Agent:
    def __init__(self, *about): self.about = about
    def run(self, messages):
        import sys
        sys.stdout.write("\\n%s %s %s" % (*self.about[:2], messages))
"""
OTHER_MAGIC = b"\0\0\r\n"


def run(told: str, magic: bytes = MAGIC_NUMBER, **more: str) -> Any:
    """What ``told(payload, store)`` returns in a leaf that is made of this; and that the agent has run."""
    source, compiled = (LEAF % made_of + told for made_of in ("source", "code"))
    packed = bundle_of("leaf", magic, leaf=(source, compiled), agent=AGENT, **more)
    prelude, _, stage_code, stage_source, _ = bundle.kit()
    process = start_host((prelude, magic, stage_code, stage_source, packed, "common", "own"))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    answer, _, agent = out.decode().partition("\n")
    assert agent == "line config messages"
    return json.loads(answer)


def in_leaf(*lines: str) -> str:
    return "\ndef told(payload, store):\n" + "".join(f"    {line}\n" for line in lines)


def test_code_is_run_where_this_python_writes_the_same() -> None:
    assert run(in_leaf("return made_of")) == "code"


def test_source_is_run_where_there_is_no_code_for_it() -> None:
    assert run(in_leaf("return made_of"), OTHER_MAGIC) == "source"


def test_what_comes_is_kept_to_be_passed_on() -> None:
    payload, bundles, same = run(in_leaf(
        "return payload[5:], sorted(store.bundles), store.bundles['leaf'] == payload[4]"
    ))  # fmt: skip
    assert (payload, bundles, same) == (["common", "own"], ["leaf"], True)


def test_a_bundle_that_comes_later() -> None:
    more = bundle_of("more", more="value = 1")
    again = bundle_of("more", more="value = 2", other="from mpboot.node.more import value")
    far = bundle_of("far", room="away", far="value = 3")
    values = run(in_leaf(
        "try:",
        "    import mpboot.node.more",
        "except ImportError as error:",
        "    why = str(error)",
        f"for bundle in ({more!r}, {again!r}, {far!r}): store.add(bundle)",
        "from mpboot.node import more, other",
        "from mpboot.away import far",
        f"kept = store.bundles['more'] == {again!r}",
        "return why, more.value, other.value, far.value, kept, sorted(store.bundles)",
    ))  # fmt: skip
    assert values == ["No module named 'mpboot.node.more'", 2, 2, 3, True, ["far", "leaf", "more"]]


def test_packages_are_empty_and_modules_say_where_they_are_from() -> None:
    values = run(in_leaf(
        "import mpboot.node, sys",
        "here = sys.modules[__name__].__spec__",
        "return [here.origin, here.name, here.loader is store, mpboot.node.__spec__.submodule_search_locations,",
        "        hasattr(sys.modules[__name__], '__path__'), sys._getframe().f_code.co_filename]",
    ), OTHER_MAGIC)  # fmt: skip
    assert values == ["mpboot bundle", "mpboot.node.leaf", True, [], False, "<mpboot.node.leaf>"]


def test_what_is_not_ours_comes_from_where_it_always_does() -> None:
    values = run(in_leaf(
        "import shlex",
        "return [store.find_spec('shlex') is None, shlex.split('a b'), shlex.__spec__.loader is store]",
    ))  # fmt: skip
    assert values == [True, ["a", "b"], False]


def test_what_stands_for_future_is_the_real_one_for_whoever_wants_more() -> None:
    values = run(in_leaf(
        "import sys, __future__",
        "before = __future__.__spec__ is None, __future__.annotations",
        "more = __future__.all_feature_names[0]",
        "import __future__ as real",
        "return before, more, real.annotations.compiler_flag > 0, real.__spec__ is None",
    ))  # fmt: skip
    assert values == [[True, None], "nested_scopes", True, False]


def test_the_host_s_own_mpboot_is_not_ours() -> None:
    """Ours is found first, wherever else there may be one."""
    first = run(in_leaf("import sys", "return sys.meta_path[0] is store"))
    assert first is True
    assert sys.meta_path[0] is not None
