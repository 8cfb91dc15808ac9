"""Generated tasks of a bank's clerk: accounts behind tools, requests of graded difficulty, and what is right when they are done."""
