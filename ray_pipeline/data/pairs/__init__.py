"""Pairs of programs, of which one is preferred, and sets to imitate: from judged and timed solutions of programming problems."""
