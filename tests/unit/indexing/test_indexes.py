"""Indexes of folders: what is read, what is found, and what a second look has to do."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ultrai.domain.errors import NotFound, StoreError, UsageError
from ultrai.domain.index import IndexChange, IndexProgress
from ultrai.indexing.building import Workshop
from ultrai.indexing.shelf import IndexShelf, name_for

NOW = "2026-11-27T12:00:00.000Z"
SECRET = "The apothecary Quillon hid the astrolabe beneath the third step."


@dataclass(frozen=True)
class Plain:
    """A text without remarks."""

    text: str
    remark: str = ""


@dataclass
class Desk:
    """A shelf, a folder to be indexed, and what was read of it."""

    shelf: IndexShelf
    folder: Path
    read_paths: list[str] = field(default_factory=list)
    told: list[IndexProgress] = field(default_factory=list)
    on_read: Callable[[Path], None] = lambda _: None

    def write(self, path: str, text: str) -> Path:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return place

    def workshop(self) -> Workshop:
        def read(path: Path) -> Plain:
            self.on_read(path)
            self.read_paths.append(path.relative_to(self.folder).as_posix())
            text = path.read_text(encoding="utf-8")
            if text.startswith("broken"):
                raise UsageError(f"{path}: is damaged")
            return Plain(text)

        return Workshop(read, self.told.append, NOW)

    def add(self, *roots: Path, name: str = "notes", excluded: tuple[str, ...] = ()) -> IndexChange:
        places = roots or (self.folder,)
        return self.shelf.add(name, places, excluded=excluded, workshop=self.workshop())

    def update(self) -> IndexChange:
        self.read_paths.clear()
        return self.shelf.update("notes", self.workshop())

    def found(self, words: str, limit: int = 5) -> list[tuple[str, int]]:
        return [
            (hit.path, hit.first_line) for hit in self.shelf.search("notes", words, limit=limit)
        ]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    folder = tmp_path / "folder"
    folder.mkdir()
    return Desk(IndexShelf(tmp_path / "indexes"), folder)


def filler(many: int) -> str:
    return "\n\n".join(f"Paragraph {n} tells of rivers, bridges and markets." for n in range(many))


def test_a_passage_is_found_with_its_file_and_lines(desk: Desk) -> None:
    desk.write("a/book.txt", f"{filler(300)}\n\n{SECRET}\n\n{filler(300)}")
    desk.write("b.md", "# Something else\n\nNothing to see.\n")
    assert desk.add().added == 2
    (hit,) = desk.shelf.search("notes", "Where did Quillon hide the astrolabe?", limit=1)
    assert (hit.path, SECRET in hit.text) == ("a/book.txt", True)
    line = hit.text[: hit.text.index(SECRET)].count("\n") + hit.first_line
    assert line == 601
    whole = (desk.folder / "a/book.txt").read_text()
    assert hit.file_characters == len(whole)
    assert hit.text in whole


def test_neighbours_join_to_the_text(desk: Desk) -> None:
    desk.write("book.txt", f"{filler(300)}\n\n{SECRET}\n\n{filler(300)}")
    desk.add()
    hits, beside = desk.shelf.surroundings("notes", "Quillon's astrolabe", limit=1)
    parts = sorted([*hits, *beside], key=lambda hit: hit.place)
    assert len(parts) == 3
    assert "".join(part.text for part in parts) in (desk.folder / "book.txt").read_text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Die Überprüfung der Brücken", "uberprufung"),
        ("量子もつれは粒子の相関です", "量子もつれとは"),
        ("ความพัวพันเชิงควอนตัม", "ควอนตัม"),
        ("Квантовая запутанность частиц", "запутанность"),
        ("def open_circuit_breaker():", "circuit breaker"),
        ("The markets of the city", "market"),
    ],
)
def test_words_are_found_without_case_accents_and_blanks(desk: Desk, text: str, words: str) -> None:
    desk.write("here.txt", text)
    desk.write("other.txt", "Something that has nothing to do with it: lorem ipsum.")
    desk.add()
    assert [path for path, _ in desk.found(words)] == ["here.txt"]


def test_a_word_that_is_everywhere_does_not_drown_a_rare_one(desk: Desk) -> None:
    for number in range(120):
        desk.write(f"{number}.txt", f"the river number {number}")
    desk.write("z.txt", "the astrolabe")
    desk.add()
    assert desk.found("the astrolabe", limit=1) == [("z.txt", 1)]
    assert desk.found("the", limit=3)


def test_what_nobody_has_is_not_found(desk: Desk) -> None:
    desk.write("a.txt", "some words")
    desk.add()
    assert desk.found("xyzzy") == []
    assert desk.found('"quoted" OR NEAR( {text} : * - ^') == []
    assert desk.found("?!") == []


def test_a_second_look_reads_what_has_changed_and_drops_what_is_gone(desk: Desk) -> None:
    for name in "abc":
        desk.write(f"{name}.txt", f"text of {name} astrolabe")
    desk.add()
    changed = desk.write("b.txt", "another text, longer than before")
    (desk.folder / "c.txt").unlink()
    desk.write("d.txt", "a new one")
    change = desk.update()
    assert desk.read_paths == ["b.txt", "d.txt"]
    assert (change.added, change.changed, change.removed, change.unchanged) == (1, 1, 1, 1)
    assert [path for path, _ in desk.found("astrolabe")] == ["a.txt"]
    os.utime(changed, ns=(1, 1))
    change = desk.update()
    assert desk.read_paths == ["b.txt"]
    assert (change.changed, change.unchanged) == (0, 3)
    desk.update()
    assert desk.read_paths == []


def test_a_file_that_changes_while_it_is_read_is_told_and_read_again(desk: Desk) -> None:
    place = desk.write("moving.txt", "first")
    desk.on_read = lambda path: path.write_text("second and longer")
    change = desk.add()
    assert [(each.path, each.why) for each in change.skipped] == [
        ("moving.txt", "it changed while it was read")
    ]
    desk.on_read = lambda _: None
    assert desk.update().changed == 1
    assert place.read_text() == "second and longer"
    assert desk.found("second") == [("moving.txt", 1)]


def test_a_file_that_gives_no_text_is_told_each_time_and_others_go_on(desk: Desk) -> None:
    desk.write("bad.txt", "broken")
    desk.write("good.txt", "astrolabe")
    change = desk.add()
    assert [(each.path, each.why) for each in change.skipped] == [("bad.txt", "is damaged")]
    again = desk.update()
    assert desk.read_paths == []
    assert [each.path for each in again.skipped] == ["bad.txt"]
    files = {file.path.rpartition("/")[2]: file.trouble for file in desk.shelf.files("notes")}
    assert files == {"bad.txt": "is damaged", "good.txt": ""}


def test_what_nobody_means_is_left_out(desk: Desk, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("secret")
    for path in (".git/config", ".env", "node_modules/x.js", "picture.png", "log/a.log", "in.txt"):
        desk.write(path, "text")
    desk.write("env/pyvenv.cfg", "")
    desk.write("env/lib.py", "text")
    (desk.folder / "link.txt").symlink_to(outside)
    (desk.folder / "loop").symlink_to(desk.folder)
    os.mkfifo(desk.folder / "pipe")
    desk.add(excluded=("*.log",))
    assert desk.read_paths == ["in.txt"]


def test_roots_are_told_apart_and_never_overlap(desk: Desk, tmp_path: Path) -> None:
    desk.write("one/a.txt", "astrolabe")
    desk.write("two/a.txt", "astrolabe")
    single = desk.write("single.txt", "astrolabe")
    desk.add(desk.folder / "one", desk.folder / "two", single)
    paths = sorted(path for path, _ in desk.found("astrolabe"))
    assert paths == ["one/a.txt", "single.txt/single.txt", "two/a.txt"]
    with pytest.raises(UsageError, match="the same files"):
        desk.add(desk.folder)


def test_what_was_written_before_an_interruption_stays(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ultrai.indexing.building._BATCH_FILES", 2)
    for number in range(7):
        desk.write(f"{number}.txt", f"astrolabe {number}")

    def stop(path: Path) -> None:
        if path.name == "5.txt":
            raise KeyboardInterrupt

    desk.on_read = stop
    with pytest.raises(KeyboardInterrupt):
        desk.add()
    assert desk.shelf.summary("notes").files == 4
    desk.on_read = lambda _: None
    assert desk.update().added == 3
    assert desk.read_paths == ["4.txt", "5.txt", "6.txt"]


def test_two_at_once_end_with_one_index(desk: Desk) -> None:
    for number in range(40):
        desk.write(f"{number}.txt", f"astrolabe {number}")
    failures: list[BaseException] = []

    def work() -> None:
        try:
            desk.add()
        except BaseException as error:  # noqa: BLE001 - shown below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    summary = desk.shelf.summary("notes")
    assert (summary.files, summary.passages) == (40, 40)
    assert len(desk.found("astrolabe", limit=100)) == 40


def test_a_folder_that_is_gone_takes_nothing_with_it(desk: Desk) -> None:
    desk.write("a.txt", "astrolabe")
    desk.add()
    desk.folder.rename(desk.folder.with_name("elsewhere"))
    with pytest.raises(UsageError, match="is gone"):
        desk.update()
    assert desk.found("astrolabe") == [("a.txt", 1)]


def test_progress_is_told_from_the_first_file_to_the_last(desk: Desk) -> None:
    for name in "ab":
        desk.write(f"{name}.txt", name)
    desk.add()
    assert [(each.done, each.total, each.path) for each in desk.told] == [
        (0, 2, "a.txt"),
        (1, 2, "b.txt"),
        (2, 2, ""),
    ]


def test_a_change_on_the_disk_is_noticed_without_an_update(desk: Desk) -> None:
    place = desk.write("a.txt", "astrolabe")
    desk.add()
    (hit,) = desk.shelf.search("notes", "astrolabe", limit=1)
    assert desk.shelf.changed_since("notes", [hit.file]) == []
    place.write_text("something else entirely")
    assert desk.shelf.changed_since("notes", [hit.file]) == ["a.txt"]
    place.unlink()
    assert desk.shelf.changed_since("notes", [hit.file]) == ["a.txt"]


def test_a_damaged_or_foreign_file_gives_one_line_and_can_be_removed(
    desk: Desk, tmp_path: Path
) -> None:
    desk.write("a.txt", "astrolabe")
    desk.add()
    path = tmp_path / "indexes" / "notes.db"
    path.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(StoreError, match="the index notes is damaged") as caught:
        desk.found("astrolabe")
    assert "ultrai index rm notes" in caught.value.hint
    desk.shelf.remove("notes")
    assert desk.shelf.names() == []
    with sqlite3.connect(path) as foreign:
        foreign.execute("CREATE TABLE something (x)")
    with pytest.raises(StoreError, match="another program"):
        desk.found("astrolabe")


def test_names_are_checked_and_unknown_ones_told(desk: Desk) -> None:
    desk.write("a.txt", "astrolabe")
    for name in ("../x", "", ".hidden", "a b", "x" * 65):
        with pytest.raises(UsageError, match="cannot be called"):
            desk.add(name=name)
    desk.add()
    with pytest.raises(NotFound, match="there are: notes"):
        desk.shelf.summary("other")
    assert name_for(Path("/srv/My notes (2026)")) == "My-notes-2026"
    with pytest.raises(UsageError, match="gives no name"):
        name_for(Path("/"))
