from hypothesis import given
from hypothesis import strategies as st

from ultrai.upstream.words import LONGEST_MESSAGE, keepable, one_line

any_text = st.text(alphabet=st.characters(), max_size=60)


@given(any_text)
def test_kept_text_can_always_be_encoded_and_holds_no_nul(text):
    kept = keepable(text)
    kept.encode()
    assert "\x00" not in kept


def test_good_text_is_kept_as_it_is():
    assert keepable("naïve 😀 \u2028 text") == "naïve 😀 \u2028 text"


def test_a_lone_surrogate_is_replaced_and_a_pair_becomes_its_character():
    assert keepable("a\ud800b") == "a\ufffdb"
    assert keepable("\ud83d\ude00") == "😀"


@given(any_text)
def test_a_line_is_one_line_without_control_characters(text):
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= LONGEST_MESSAGE


def test_terminal_escapes_do_not_survive():
    assert one_line("\x1b[31mred\r\nnext\x07") == "[31mred next"


def test_a_long_line_is_cut_with_an_ellipsis():
    assert one_line("x" * 600) == "x" * 499 + "…"
