"""What a library logs while it reads a key, and what it may."""

from __future__ import annotations

import logging
import threading

from ultrai.settings.hush import hushed


def test_a_library_is_silent_below_a_warning_only_while_it_reads(caplog):
    caplog.set_level(logging.DEBUG)
    library, stranger = logging.getLogger("botocore.parsers"), logging.getLogger("myapp.botocore")
    library.debug("before")
    with hushed():
        library.debug("the key")
        library.info("the key")
        library.warning("a warning")
        stranger.debug("a stranger")
    library.debug("after")
    assert caplog.messages == ["before", "a warning", "a stranger", "after"]


def test_other_threads_may_talk(caplog):
    caplog.set_level(logging.DEBUG)
    library = logging.getLogger("botocore.endpoint")
    with hushed():
        other = threading.Thread(target=library.debug, args=("another thread",))
        other.start()
        other.join()
    assert caplog.messages == ["another thread"]


def test_reading_again_and_again_adds_the_filter_once():
    library = logging.getLogger("botocore.hooks")
    for _ in range(3):
        with hushed():
            pass
    assert len(library.filters) == len(set(library.filters)) == 1
