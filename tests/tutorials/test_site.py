"""The site's extensions: formulas, docstrings and links; and that the pages name everything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("sphinx")
pytest.importorskip("latex2mathml")

from docutils import nodes
from docutils.core import publish_doctree

import check_site
import minicnn
from site_extensions import docstrings, mathml, package_reference, repository_links

SOURCES = Path(__file__).parents[2] / "tutorials"


def parsed(docstring: str) -> nodes.document:
    """A docstring as the site reads it; a warning of docutils is an error."""
    text = "\n".join(docstrings.restructured(docstring.splitlines()))
    return publish_doctree(text, settings_overrides={"halt_level": 2, "report_level": 5})


def test_a_formula_becomes_mathml():
    element = mathml.mathml(r"\frac{dL}{dx_0} = 60", block=True)
    assert element.startswith("<math")
    assert 'display="block"' in element
    assert "<mfrac>" in element
    assert "<msub>" in element


def test_an_inline_formula_is_inline():
    assert 'display="inline"' in mathml.mathml("x_0", block=False)


@pytest.mark.parametrize(
    "latex", [r"\nosuchcommand x", r"\left( a", r"\begin{gathered} a \\ b \end{gathered}", r"a & b", r"\frac"]
)
def test_a_formula_that_is_not_understood_is_an_error(latex):
    with pytest.raises(ValueError):
        mathml.mathml(latex, block=False)


@pytest.mark.parametrize("latex", [r"a &= b \\ c &= d", r"\begin{aligned} a &= b \\ c &= d \end{aligned}"])
def test_rows_of_a_formula_stand_one_below_the_other(latex):
    assert mathml.mathml(latex, block=True).count("<mtr>") == 2


@pytest.mark.parametrize(
    ("latex", "typeset"),
    [
        (r"\max(a)", '<mi>max</mi><mo stretchy="false">'),
        (r"\log p", '<mi>log</mi><mspace width="0.167em" /><mi>p</mi>'),
        (r"\log(p)", '<mi>log</mi><mo stretchy="false">'),
        (r"\overline{y}", '<mo stretchy="true">&#x00203E;</mo>'),
        (r"f'", "<mrow><mi>f</mi><mi>&#x02032;</mi></mrow>"),
    ],
)
def test_names_bars_and_primes_are_set_as_tex_sets_them(latex, typeset):
    assert typeset in mathml.mathml(latex, block=False)


def test_every_formula_of_the_course_is_understood():
    found = 0
    for chapter in sorted((SOURCES / "chapters").glob("*.md")):
        text = re.sub(r"^```.*?^```|`[^`\n]+`", "", chapter.read_text(), flags=re.DOTALL | re.MULTILINE)
        for block, inline in re.findall(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", text, flags=re.DOTALL):
            mathml.mathml(block or inline, block=bool(block))
            found += 1
    assert found > 50


def test_an_indented_block_keeps_every_character():
    formula = "y[n, i]  = x[n] * w_p_ + |b|\n`dx`      = 2**3"
    document = parsed("A layer, where\n    " + formula.replace("\n", "\n    ") + "\nand so on.")
    assert [block.astext() for block in document.findall(nodes.literal_block)] == [formula]
    assert [p.astext() for p in document.findall(nodes.paragraph)] == ["A layer, where", "and so on."]


def test_a_blank_line_inside_an_indented_block_stays_inside():
    document = parsed("Picture:\n\n    a\n\n      b\n\nText.")
    assert [block.astext() for block in document.findall(nodes.literal_block)] == ["a\n\n  b"]


def test_signs_of_markup_mean_themselves():
    text = "fit learns trained_ and weights_; a * b * c, |x|, 2 ** 3, `q` and ends with::"
    assert parsed(text).astext() == text


def test_double_backquotes_are_code_whatever_follows():
    document = parsed("The ``x`` of ``Layer``s, and ``a_`` over\ntwo ``lines *of* it``.")
    code = [literal.astext() for literal in document.findall(nodes.literal)]
    assert code == ["x", "Layer", "a_", "lines *of* it"]


@pytest.mark.parametrize(
    "docstring",
    [
        "``stride``: an integer\n    or a pair.\n``rng``, ``seed``: a generator.",
        "``stride``      an integer\n                or a pair.\n``rng``, ``seed``  a generator.",
    ],
)
def test_lines_that_begin_with_names_are_fields(docstring):
    items = list(parsed(docstring).findall(nodes.definition_list_item))
    assert [item.children[0].astext() for item in items] == ["stride", "rng, seed"]
    assert [item.children[1].astext().replace("\n", " ") for item in items] == [
        "an integer or a pair.",
        "a generator.",
    ]


def test_an_indented_block_of_fields_is_fields():
    document = parsed(
        "One request:\n    ``body``    bytes,\n                and *more*\n    ``side``    pixels\n"
        "All:\n    ``queue``   pictures"
    )
    assert not list(document.findall(nodes.literal_block))
    items = [item.children[0].astext() for item in document.findall(nodes.definition_list_item)]
    assert items == ["body", "side", "queue"]
    assert [p.astext() for p in document.children if isinstance(p, nodes.paragraph)] == [
        "One request:",
        "All:",
    ]


def test_a_sentence_that_begins_with_a_name_is_no_field():
    document = parsed("``fuse(model)`` looks for blocks\nin a row. ``Trainer`` fuses.")
    assert not list(document.findall(nodes.definition_list))


def test_aligned_columns_stay_aligned():
    columns = "model          a name\nepochs, lr\n               None: the recipe's"
    (block,) = parsed("model          a name\nepochs, lr     None").findall(nodes.literal_block)
    assert block.astext() == "model          a name\nepochs, lr     None"
    assert columns.split("\n")[0] in parsed(columns).astext()


def test_items_are_a_list():
    document = parsed("Rules:\n\n* The first goes\n  on here.\n* dy is random_.\n\n1. One\n2. Two")
    items = [item.astext().replace("\n", " ") for item in document.findall(nodes.list_item)]
    assert items == ["The first goes on here.", "dy is random_.", "One", "Two"]


def test_an_example_stays_an_example():
    document = parsed("Sum.\n\n>>> 1 * 2\n2")
    assert [block.astext() for block in document.findall(nodes.doctest_block)] == [">>> 1 * 2\n2"]


def test_links_of_an_included_file_lead_to_pages_or_files():
    pages = {"benchmarks/README.md": "results/benchmarks"}
    text = "[a](../../benchmarks/README.md#x) [b](nginx.conf) [c](https://a.org) ![d](../../tutorials/d.png)"
    assert repository_links.rewritten(text, "poster_genre/web", pages) == (
        "[a](/results/benchmarks.md#x) [b](/../poster_genre/web/nginx.conf) [c](https://a.org) ![d](/d.png)"
    )


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("minicnn/layers/conv.py", ("minicnn.layers.conv", "")),
        ("minicnn/layers/__init__.py", ("", "minicnn.layers")),
        ("poster_genre/cli/", ("", "poster_genre.cli")),
        ("tests/minicnn/", None),
        ("conv.py", None),
    ],
)
def test_paths_in_code_spans_name_modules_and_packages(path, place):
    assert repository_links.source_page(path) == place


def test_the_files_that_pages_include_exist():
    root = SOURCES.parent
    included = re.findall(r'^    "(\S+)": "(\S+)",$', (SOURCES / "conf.py").read_text(), re.MULTILINE)
    assert len(included) >= 5
    for file, page in included:
        assert (root / file).is_file()
        assert file in (SOURCES / f"{page}.md").read_text().replace("../", "")


def test_every_module_is_in_the_reference():
    documented = set()
    for page in (SOURCES / "api").glob("*.rst"):
        package = page.stem
        recursive = ":recursive:" in page.read_text()
        assert f".. package:: {package}\n" in page.read_text()
        documented |= set(package_reference.modules(package, recursive=recursive))
    for package in ("minicnn", "poster_genre"):
        for file in (SOURCES.parent / package).rglob("*.py"):
            module = ".".join(file.relative_to(SOURCES.parent).with_suffix("").parts)
            assert file.name.startswith("_") or module in documented, module


def test_every_public_name_of_minicnn_is_in_the_reference():
    text = (SOURCES / "api" / "index.md").read_text()
    assert {f"mc.{name}" for name in minicnn.__all__} - {"mc.__version__"} == set(
        re.findall(r"mc\.\w+", text)
    )


def test_the_check_of_the_site_finds_dead_links_and_other_hosts(tmp_path):
    (tmp_path / "a.html").write_text(
        '<p id="here"><a href="b.html#there">1</a><a href="#here">2</a><a href="#nowhere">3</a>'
        '<a href="c.html">4</a><a href="https://example.org">5</a>'
        '<script src="https://cdn.example.org/x.js"></script><img src="//example.org/y.png">'
    )
    (tmp_path / "b.html").write_text('<p id="elsewhere">')
    (tmp_path / "s.css").write_text("@import 'https://fonts.example.org/f'; a { background: url(data:x) }")
    assert sorted(check_site.problems(tmp_path)) == [
        "a.html links to #nowhere: the page has no such anchor",
        "a.html links to b.html#there: the page has no such anchor",
        "a.html links to c.html: there is no such file",
        "a.html loads //example.org/y.png",
        "a.html loads https://cdn.example.org/x.js",
        "s.css loads https://fonts.example.org/f",
    ]
