"""Files: found, moved, renamed, shared, deleted."""

from __future__ import annotations

from typing import Final

from ray_pipeline.data.tool_chats.function import Function, Spread, may, need
from ray_pipeline.data.tool_chats.pools import NAMES
from ray_pipeline.data.tool_chats.values import Choice, Flag, Several, Whole, Words

_SUBJECTS: Final = (
    "agenda", "budget", "contract", "diary", "essay", "flyer", "guests", "hiking", "invoice", "journal", "kitchen", "lecture", "menu", "notes",
    "offer", "poster", "quotes", "report", "slides", "thesis", "vouchers",
)  # fmt: skip
_FILES: Final = tuple(
    f"{subject}_{mark}" for subject in _SUBJECTS for mark in ("2024.pdf", "draft.docx", "final.odt", "v2.txt", "old.csv", "may.xlsx")
)
_FOLDERS: Final = (
    "Archive", "Backup", "Choir", "Clients", "Courses", "Designs", "Documents", "Drafts", "Exams", "Family", "Finance", "Garden", "Holidays", "House",
    "Inbox", "Insurance", "Job", "Letters", "Maps", "Meetings", "Music", "Office", "Photos", "Printing", "Projects", "Recipes", "Research", "School",
    "Shared", "Sports", "Taxes", "Team", "Templates", "Travel", "University", "Videos", "Work",
)  # fmt: skip

FUNCTIONS: Final = (
    Function(
        name="find_files",
        description="Find files whose name contains a word",
        parameters=(
            need("word", Words(_SUBJECTS), "what the name contains"),
            may("folder", Words(_FOLDERS), "only in this folder"),
            may("newer_than_days", Whole(2, 60), "changed within so many days"),
        ),
        orders=(
            'find files with "{word}" in their name',
            'look for "{word}" files in the folder {folder}',
            'search the folder {folder} for files named like "{word}"',
            'list files called something with "{word}" that changed in the last {newer_than_days} days',
        ),
        asks=(
            'Which of my files have "{word}" in their name?',
            'Where did I put the files with "{word}" in the name?',
            'Is there a file with "{word}" in its name in the folder {folder}?',
            'Which files named like "{word}" have I changed in the last {newer_than_days} days?',
        ),
        result=lambda d, a: {"files": [f"{a['word']}_{mark}" for mark in d.some(("2024.pdf", "draft.docx", "v2.txt", "old.csv"), d.whole(1, 2))]},
        answers=("I found {files}.", 'These have "{word}" in their name: {files}.'),
        lacking=(
            ("Find a file in the folder {folder}.", "Which word does the name of the file in {folder} contain?"),
            ("Find a file that I changed in the last {newer_than_days} days.", "Which word is in the name of the file?"),
            ("I'm looking for a file.", "Which word does its name contain?"),
        ),
        again=('And with "{word}"?', "And only in the folder {folder}?"),
        spread=Spread("folder", ('Look for files with "{word}" in their name in {folder}, a search each.',)),
    ),
    Function(
        name="move_file",
        description="Move a file to a folder",
        parameters=(need("file", Words(_FILES), "name of the file"), need("folder", Words(_FOLDERS), "name of the folder")),
        orders=("move {file} to {folder}", "put {file} into the folder {folder}", "move the file {file} over to the {folder} folder"),
        asks=(
            "{file} belongs in the folder {folder}. Move it.",
            "Could you put {file} into {folder}?",
            "I'd like to have {file} in the {folder} folder.",
            "Please move it to {folder}: the file is {file}.",
        ),
        result=lambda d, a: {"path": f"/{a['folder']}/{a['file']}"},
        answers=("The file is at {path} now.", "I've moved it: {path}."),
        lacking=(
            ("Move {file} to another folder.", "To which folder should I move {file}?"),
            ("Move a file to {folder}.", "Which file should I move to {folder}?"),
        ),
        again=("And {file} too.", "No, to {folder}.", "Put {file} there as well."),
        spread=Spread("file", ("Move {file} to {folder}.", "Put the files {file} into the folder {folder}.")),
    ),
    Function(
        name="rename_file",
        description="Give a file a new name",
        parameters=(need("file", Words(_FILES), "its name now"), need("new_name", Words(_FILES), "its new name")),
        orders=("rename {file} to {new_name}", "change the name of {file} to {new_name}", "call the file {file} {new_name} from now on"),
        asks=(
            "{file} should be called {new_name}.",
            "Could you give {file} the name {new_name}?",
            "The name {file} is wrong. Make it {new_name}.",
            "I want {file} renamed to {new_name}.",
        ),
        result=lambda d, a: {"name": a["new_name"]},
        answers=("{file} is called {name} now.", "Done, the new name is {name}."),
        lacking=(
            ("Rename {file}.", "What should {file} be called?"),
            ("Rename a file to {new_name}.", "Which file should be called {new_name}?"),
        ),
    ),
    Function(
        name="share_file",
        description="Share a file with people",
        parameters=(
            need("file", Words(_FILES), "name of the file"),
            need("people", Several(NAMES, 1, 3), "with whom"),
            may("can_edit", Flag("with the right to edit it", "to read only"), "whether they may change it"),
        ),
        orders=(
            "share {file} with {people}",
            "give {people} access to {file}",
            "share {file} with {people} {can_edit}",
        ),
        asks=(
            "{people} need {file}. Share it with them.",
            "Could you give {people} access to {file}, {can_edit}?",
            "I want {people} to see {file}.",
            "Let {people} have {file} {can_edit}.",
        ),
        result=lambda d, a: {"link": f"https://files.example/{d.whole(10000, 99999)}"},
        answers=("{file} is shared with {people}: {link}", "I have shared {file}; the link is {link}"),
        lacking=(
            ("Share {file}.", "With whom should I share {file}?"),
            ("Share a file with {people}.", "Which file should I share with {people}?"),
        ),
        again=("And {file} as well.", "Share it with {people} too, the same way."),
        spread=Spread("file", ("Share the files {file} with {people}.", "Give {people} access to {file}.")),
    ),
    Function(
        name="delete_files",
        description="Delete files",
        parameters=(
            need("files", Several(_FILES, 1, 3), "names of the files"),
            may("mode", Choice(("trash", "forever")), "whether they can be restored"),
        ),
        orders=("delete {files}", "get rid of {files}", 'delete {files} with the mode "{mode}"', 'remove {files} in mode "{mode}"'),
        asks=(
            "Please delete what I no longer need: {files}.",
            "Could you throw away {files}?",
            '{files} can go. The mode is "{mode}".',
            "Please delete the following: {files}.",
        ),
        result=lambda d, a: {"deleted": len(a["files"]), "freed_mb": d.whole(1, 400)},
        answers=("Files deleted: {deleted}, so {freed_mb} MB are free again.", "{files} deleted, which frees {freed_mb} MB."),
        lacking=(
            ("Delete some files.", "Which files should I delete?"),
            ('Delete a file with the mode "{mode}".', 'Which file should I delete with the mode "{mode}"?'),
            ("Please free some space by deleting a file.", "What is the name of the file to delete?"),
        ),
        again=("Do the same with {files}.", "{files} can go in the same way."),
    ),
)
