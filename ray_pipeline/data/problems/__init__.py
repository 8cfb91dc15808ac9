"""Problems for models of code: published benchmarks read from their files, and problems of our own, generated.

A format is one file with a `read_*` function and one line in `registry.py`; a family of generated problems is one `Family` in `families/`
and one line in its registry. Nothing here runs a program: answers are held against each other in `metrics/code_answers.py`.
"""
