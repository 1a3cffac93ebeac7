"""Whatever a body holds, it becomes an Order or a refusal that names what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ultrai.domain.ask import Commit
from ultrai.domain.cocktail import Cocktail, CocktailBook, Slot
from ultrai.domain.errors import UltraiError
from ultrai.server.parsing import order_of, run_ask_of
from ultrai.server.problems import Problem, Refused, problem_of_error
from ultrai.server.wire import ChatRequest, RunRequest

BOOK = CocktailBook((Cocktail("TRIO", (Slot("a/b"), Slot("c/d"))),))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=12,
)
MESSAGES = st.just([{"role": "user", "content": "hi"}])
MODELS = st.sampled_from(["ultrai/trio", "ultrai/trio:all", "ultrai/TRIO:first", "a/b"])


def bodies(kind: type[ChatRequest | RunRequest]) -> st.SearchStrategy[bytes]:
    names = st.sampled_from([*kind.__struct_fields__, "tools", "nobody", "ultrai.x"])
    known = st.fixed_dictionaries({}, optional={"model": MODELS, "messages": MESSAGES})
    shapes = st.builds(lambda a, b: {**a, **b}, st.dictionaries(names, VALUES, max_size=5), known)
    return st.one_of(st.binary(max_size=60), shapes.map(lambda each: json.dumps(each).encode()))


def outcome(make: Callable[[bytes, CocktailBook], Any], body: bytes) -> Any:
    """What was made of the body, or why nothing was."""
    try:
        return make(body, BOOK)
    except Refused as error:
        return error.problem
    except UltraiError as error:
        return problem_of_error(error)


def is_refusal(found: object) -> bool:
    return isinstance(found, Problem) and 400 <= found.status < 500 and bool(found.message)


@given(bodies(ChatRequest))
def test_a_chat_is_understood_or_refused(body: bytes) -> None:
    found = outcome(order_of, body)
    if not is_refusal(found):
        assert found.ask.messages
        assert found.ask.sampling.max_tokens > 0
        assert bool(found.ask.models) != found.model.startswith("ultrai/")
        assert (found.ask.commit is Commit.NONE) or found.stream


@given(bodies(RunRequest))
def test_a_run_is_understood_or_refused(body: bytes) -> None:
    found = outcome(run_ask_of, body)
    if not is_refusal(found):
        assert found.messages
