"""Texts: groups of anagrams, stretches with so many of a letter."""

from __future__ import annotations

from collections import Counter

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.problems.families.family import Family, Solution, Variant
from ray_pipeline.data.problems.problem import Arguments


def _anagrams(variant: Variant, words: list[str]) -> list[list[str]]:
    groups: dict[frozenset[tuple[str, int]], list[str]] = {}
    for word in words:
        counts = Counter(word)
        del counts[variant["ignored"]]
        groups.setdefault(frozenset(counts.items()), []).append(word)
    return [group for group in groups.values() if len(group) >= variant["least"]]


def _anagram_edges(variant: Variant) -> tuple[Arguments, ...]:
    least, ignored = variant["least"], variant["ignored"]
    return (
        (["xyz", *(f"z{ignored * count}yx" for count in range(1, least)), "zyxx", "yyxz"],),  # just enough, if the letter is ignored
        (["wv"] * (least - 1) + ["wwv"] * least,),  # a letter more is another group
        ([ignored, *["vw", "wv"] * least, "", "w", "v"],),
        ([],),
    )


def _anagram_small(draw: Draw, variant: Variant) -> Arguments:
    letters = ("g", "k", variant["ignored"])
    return (["".join(draw.pick(letters) for _ in range(draw.whole(1, 4))) for _ in range(draw.whole(8, 16))],)


def _anagram_large(draw: Draw, variant: Variant, size: int) -> Arguments:
    stems = [tuple(draw.pick("abcdefghijklmnopqrstuvwxyz") for _ in range(6)) for _ in range(size // 2)]
    return (["".join(draw.some(draw.pick(stems), 6)) for _ in range(size)],)


ANAGRAMS = Family(
    name="anagrams",
    variants=tuple({"least": least, "ignored": ignored} for least in range(2, 7) for ignored in "aeiouldnrst"),
    signature="def anagram_groups(words: list[str]) -> list[list[str]]:",
    task="""
        Words belong to one group if they have the same letters, each equally often, where every "$ignored" is left out.
        Give the groups of at least $least words: groups in the order of their first words, words in their order.
        A word that occurs twice is two words.""",
    solutions=(
        Solution("against every group", "n^2", """
            groups = []
            for word in words:
                letters = sorted(word.replace("$ignored", ""))
                for group in groups:
                    if sorted(group[0].replace("$ignored", "")) == letters:
                        group.append(word)
                        break
                else:
                    groups.append([word])
            return [group for group in groups if len(group) >= $least]
            """),
        Solution("by counts of letters", "n l", """
            groups = {}
            for word in words:
                counts = {}
                for letter in word:
                    if letter != "$ignored":
                        counts[letter] = counts.get(letter, 0) + 1
                groups.setdefault(frozenset(counts.items()), []).append(word)
            return [group for group in groups.values() if len(group) >= $least]
            """),
        Solution("by sorted letters", "n l log l, in C", """
            groups = {}
            for word in words:
                groups.setdefault("".join(sorted(word.replace("$ignored", ""))), []).append(word)
            return [group for group in groups.values() if len(group) >= $least]
            """),
    ),
    wrong=(
        """
        groups = {}
        for word in words:
            groups.setdefault("".join(sorted(word)), []).append(word)
        return [group for group in groups.values() if len(group) >= $least]
        """,
        """
        groups = {}
        for word in words:
            groups.setdefault("".join(sorted(word.replace("$ignored", ""))), []).append(word)
        return [group for group in groups.values() if len(group) > $least]
        """,
    ),
    answer=_anagrams,
    edges=_anagram_edges,
    small=_anagram_small,
    large=_anagram_large,
    sizes=(200, 400),
)  # fmt: skip


def _letter_counts(variant: Variant, text: str) -> int:
    ends = range(len(text) + 1)
    return sum(text[first:last].count(variant["letter"]) == variant["times"] for last in ends for first in range(last))


def _letter_edges(variant: Variant) -> tuple[Arguments, ...]:
    letter, times = variant["letter"], variant["times"]
    return (
        (letter * times,),
        ("z".join([letter] * (times + 1)),),  # one too many for the whole
        ("z" + letter * (times + 2) + "zz",),
        (letter * (times - 1),),
        ("",),
    )


def _letter_small(draw: Draw, variant: Variant) -> Arguments:
    return ("".join(draw.pick((variant["letter"], "x", "y")) for _ in range(draw.whole(4, 12 + 2 * variant["times"]))),)


def _letter_large(draw: Draw, variant: Variant, size: int) -> Arguments:
    return ("".join(draw.pick((variant["letter"], "x", "y", "z")) for _ in range(size)),)


LETTER_COUNTS = Family(
    name="letter_counts",
    variants=tuple({"letter": letter, "times": times} for letter in "abcdefgh" for times in range(1, 8)),
    signature="def count_stretches(text: str) -> int:",
    task="""
        Count the stretches of neighbouring characters (at least one) that hold the letter "$letter" exactly $times times.
        Equal stretches at different places count separately.""",
    solutions=(
        Solution("every stretch anew", "n^3", """
            found = 0
            for i in range(len(text)):
                for j in range(i + 1, len(text) + 1):
                    if text[i:j].count("$letter") == $times:
                        found += 1
            return found
            """),
        Solution("every begin", "n^2", """
            found = 0
            for i in range(len(text)):
                count = 0
                for j in range(i, len(text)):
                    if text[j] == "$letter":
                        count += 1
                    if count == $times:
                        found += 1
                    elif count > $times:
                        break
            return found
            """),
        Solution("counts from the front", "n", """
            before = {0: 1}
            count = found = 0
            for letter in text:
                count += letter == "$letter"
                found += before.get(count - $times, 0)
                before[count] = before.get(count, 0) + 1
            return found
            """),
    ),
    wrong=(
        """
        before = {}
        count = found = 0
        for letter in text:
            count += letter == "$letter"
            found += before.get(count - $times, 0)
            before[count] = before.get(count, 0) + 1
        return found
        """,
        """
        found = 0
        for i in range(len(text)):
            for j in range(i + 1, len(text) + 1):
                if text[i:j].count("$letter") >= $times:
                    found += 1
        return found
        """,
    ),
    answer=_letter_counts,
    edges=_letter_edges,
    small=_letter_small,
    large=_letter_large,
    sizes=(300, 600),
)  # fmt: skip
