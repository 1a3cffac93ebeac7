from hypothesis import given
from hypothesis import strategies as st

from ultrai.domain.secret import MASK, Secret
from ultrai.upstream.masking import FragmentMasker, Masker, mask

KEY = "sk-or-v1-0123456789abcdef"
pieces_of_keys = st.lists(
    st.one_of(
        st.sampled_from([KEY, KEY[:7], KEY[7:], KEY[:1], "s", "sk-", " ", "done."]),
        st.text(alphabet="sk-orv1 x.", max_size=8),
    ),
    max_size=12,
)


def masked(pieces, key=KEY):
    masker = Masker(Secret(key))
    return "".join([*(masker.push(piece) for piece in pieces), masker.flush()])


@given(pieces_of_keys)
def test_however_a_text_is_cut_it_comes_out_as_the_whole_text_masked(pieces):
    assert masked(pieces) == "".join(pieces).replace(KEY, MASK)


def test_a_key_spread_over_single_characters_is_masked():
    assert masked(["My key is ", *KEY, "."]) == f"My key is {MASK}."


def test_what_is_shown_early_never_holds_more_than_the_text_so_far():
    masker = Masker(Secret(KEY))
    assert masker.push("a key: sk-or") == "a key: "
    assert masker.push("ange juice") == "sk-orange juice"


def test_a_word_of_local_servers_that_is_called_a_key_does_not_spoil_answers():
    assert masked(["ollama runs EMPTY models"], key="ollama") == "ollama runs EMPTY models"


def test_without_a_secret_nothing_is_held_back():
    assert Masker(None).push("sk-") == "sk-"


def test_parts_of_the_key_are_masked_in_logged_lines():
    line = FragmentMasker(Secret(KEY)).mask(f'{{"content":"{KEY[9:20]}"}}')
    assert KEY[9:17] not in line
    assert MASK in line


def test_the_whole_key_becomes_one_mask_in_a_logged_line():
    assert FragmentMasker(Secret(KEY)).mask(f"x {KEY} y") == f"x {MASK} y"


def test_a_placeholder_is_masked_nowhere():
    secret = Secret("ollama")
    assert FragmentMasker(secret).mask("ollama") == mask(secret, "ollama") == "ollama"
