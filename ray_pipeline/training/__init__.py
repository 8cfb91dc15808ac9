"""How anything is trained: one loop and its parts. What is trained is a task's business, where it runs is placement's."""
