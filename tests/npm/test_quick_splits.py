"""Packuments that are split with fewer looks at them are the same as those that are split plainly."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.outcomes import outcome

from nproxy_mw.errors import UpstreamUnavailable
from nproxy_mw.npm import quick_splits
from nproxy_mw.npm.quick_splits import manifest_of, packument_of
from nproxy_mw.npm.slices import as_text, outline, readable, split

PUBLIC = (
    b'{"_id":"a","name":"a","dist-tags":{"latest":"2.0.0"},"versions":{"1.0.0":{"name":"a","version":"1.0.0","dist":{}},'
    b'"2.0.0":{"name":"a","version":"2.0.0","dist":{},"x":[{"y":"}"}]}},"time":{"1.0.0":"t"},"readme":"# a"}'
)
"""As public registries write it."""

SPACED = orjson.dumps(orjson.loads(PUBLIC), option=orjson.OPT_INDENT_2)
COUSIN = b'{"name":"a","dist-tags":{"versions":{"9.9.9":{}}},"versions":{"1.0.0":{}},"time":{}}'
TWICE = b'{"name":"a","versions":{"9.9.9":{}},"time":{},"versions":{"1.0.0":{}}}'
INSIDE = b'{"name":"a","versions":{"1.0.0":{"z":{"k":1},"time":{}}}}'
LATE = b'{"name":"a","time":{},"keywords":["time"],"versions":{"1.0.0":{}}}'
IN_TEXT = b'{"name":"a","d":"\\"versions\\":{","versions":{"1.0.0":{}},"time":{},"e":"}\\"time\\":"}'


@pytest.fixture(autouse=True)
def _every_size_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_splits, "LARGE", 0)


@pytest.mark.parametrize("raw", [PUBLIC, b"\xef\xbb\xbf" + PUBLIC], ids=["plain", "mark"])
def test_public_packument_is_read_in_one_pass(raw: bytes) -> None:
    """Its versions are looked at once, not as a whole and then one by one."""
    found = quick_splits._cut(PUBLIC)
    assert found is not None
    assert (list(found[0]), list(found[1])) == (["_id", "name", "dist-tags", "time", "readme"], ["1.0.0", "2.0.0"])
    assert packument_of(readable(raw), "a") == split(outline(raw), "a")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(SPACED, id="spaces"),
        pytest.param(COUSIN, id="another versions before it"),
        pytest.param(TWICE, id="two of them"),
        pytest.param(INSIDE, id="time inside the versions"),
        pytest.param(LATE, id="time before the versions"),
        pytest.param(IN_TEXT, id="in a text"),
        pytest.param(PUBLIC[:-1], id="cut off"),
        pytest.param(PUBLIC.replace(b'"x":[', b'"x":[['), id="broken in the versions"),
        pytest.param(PUBLIC.replace(b'"versions":{', b'"versions":{{'), id="broken at the versions"),
        pytest.param(PUBLIC.replace(b'"# a"', b'"\\ud800"'), id="half a surrogate"),
        pytest.param(PUBLIC.replace(b'"x":', b'"__proto__":'), id="proto"),
        pytest.param(PUBLIC.replace(b'"name":"a"', b'"name":"b"'), id="another name"),
        pytest.param(b'{"name":"a","versions":[],"time":{}}', id="no object"),
        pytest.param(b'{"name":"a","versions":{"1.0.0":[]},"time":{}}', id="no manifest"),
        pytest.param(b'{"x":1}', id="no packument"),
        pytest.param(b'{"name":"a"}', id="no versions"),
        pytest.param(b"[]", id="no document"),
    ],
)
def test_any_order_is_read_as_it_stands(raw: bytes) -> None:
    """What only looks like the versions is not taken for them, and what is refused is refused in the same words."""
    assert outcome(lambda: packument_of(readable(raw), "a")) == outcome(lambda: split(outline(raw), "a"))


values = st.recursive(
    st.none() | st.integers(0, 9) | st.sampled_from(['"time":', '"versions":{', "}", "x"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["versions", "time", "1.0.0", "dist"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.permutations(["name", "versions", "time", "dist-tags", "other"]),
    st.fixed_dictionaries(
        {"name": st.just("a")},
        optional={
            "versions": values | st.dictionaries(st.sampled_from(["1.0.0", "2.0.0"]), st.just({"dist": {"a": 1}})),
            "time": values,
            "dist-tags": values,
            "other": values,
        },
    ),
)
def test_any_packument_is_the_same(order: list[str], document: dict[str, Any]) -> None:
    """Whatever the order of its members, and whatever they look like."""
    raw = orjson.dumps({key: document[key] for key in order if key in document})
    plain = outcome(lambda: split(outline(raw), "a"))
    assert outcome(lambda: packument_of(readable(raw), "a")) == plain
    if not isinstance(plain, str):
        for version in ("1.0.0", "2.0.0", "3.0.0"):
            assert manifest_of(readable(raw), "a", version) == plain.versions.get(version)


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0", "3.0.0", "latest", "__proto__", "a/b"])
def test_one_manifest_is_that_of_the_packument(version: str) -> None:
    """Nothing is built of the others; what no client can ask for is not there."""
    raw = PUBLIC.replace(b'"1.0.0":{"name":"a","version":"1.0.0","dist":{}}', b'"1.0.0":{},"a/b":{}')
    assert manifest_of(readable(raw), "a", version) == split(outline(raw), "a").versions.get(version)


def test_manifest_of_another_version_is_refused() -> None:
    """Also when it is the only one that is looked at."""
    with pytest.raises(UpstreamUnavailable, match="files a version under another"):
        manifest_of(b'{"name":"a","versions":{"1.0.0":{"version":"2.0.0"}}}', "a", "1.0.0")


def test_text_that_must_be_repaired_has_its_manifests() -> None:
    """Half a surrogate somewhere is replaced, as in a packument that is split."""
    raw = b'{"name":"a","versions":{"1.0.0":{"d":"\\ud800"}}}'
    manifest = manifest_of(readable(raw), "a", "1.0.0")
    assert manifest is not None
    assert as_text(manifest["d"]) == "\ufffd"
