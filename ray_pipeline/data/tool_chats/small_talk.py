"""Talk that needs no tool: greetings, thanks, questions about the assistant, general knowledge, small sums."""

from __future__ import annotations

from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.tool_chats.pools import NAMES

_SAYINGS: Final = (
    ("Hello!", "Hello! What can I do for you?"),
    ("Hi there", "Hi! How can I help?"),
    ("Good morning!", "Good morning! What can I do for you today?"),
    ("Good evening.", "Good evening! How can I help?"),
    ("Hi, I'm {name}.", "Hello {name}, nice to meet you! How can I help?"),
    ("My name is {name}. Who are you?", "Nice to meet you, {name}. I'm an assistant that can use a few tools for you."),
    ("Good morning, {name} here.", "Good morning, {name}! What can I do for you?"),
    ("Hello, this is {name}. Are you there?", "Yes, I'm here, {name}. What do you need?"),
    ("Are you a person?", "No, I'm a program that answers questions and uses tools."),
    ("How are you today?", "I'm doing well, thank you. How can I help?"),
    ("How are you? {name} says hello.", "I'm well, thank you. Hello to {name} too!"),
    ("Thank you, that was helpful.", "You're welcome!"),
    ("Thanks a lot, bye!", "You're welcome, goodbye!"),
    ("That's all for now.", "All right. Have a good day!"),
    ("Never mind, I've done it myself.", "All right, just tell me if you need anything else."),
    ("{name} and I are bored.", "How about a walk, a board game or a good book for you and {name}?"),
    ("Tell me a joke.", "Why did the tomato blush? It saw the salad dressing."),
    ("Can you tell {name} a joke?", "Here is one for {name}: what do you call a fish without eyes? A fsh."),
    ("I'm a bit tired today.", "I'm sorry to hear that. I hope you can get some rest."),
    ("I passed my exam!", "Congratulations, that's great news!"),
    ("{name} passed the exam!", "Congratulations to {name}, that's great news!"),
    ("It's my birthday today.", "Happy birthday! I hope you have a lovely day."),
    ("{name} has a birthday today.", "Happy birthday to {name}!"),
    ("What do you think of cats?", "Many people love them for being calm and independent."),
    ("Write a one-line poem about the sea.", "The sea keeps time in silver on the sand."),
    ("Give me a word that rhymes with moon.", "Spoon rhymes with moon."),
    ("How many days are there in a week?", "A week has seven days."),
    ("How many legs does a spider have?", "A spider has eight legs."),
    ("Which colours make green?", "Blue and yellow make green."),
    ("Is {name} a nice name?", "Yes, I think {name} is a lovely name."),
)
_CAPITALS: Final = {
    "Argentina": "Buenos Aires", "Australia": "Canberra", "Austria": "Vienna", "Belgium": "Brussels", "Brazil": "Brasilia",
    "Canada": "Ottawa", "Chile": "Santiago", "Colombia": "Bogota", "Cuba": "Havana", "Denmark": "Copenhagen", "Egypt": "Cairo",
    "Finland": "Helsinki", "France": "Paris", "Germany": "Berlin", "Ghana": "Accra", "Greece": "Athens", "Hungary": "Budapest",
    "Iceland": "Reykjavik", "India": "New Delhi", "Ireland": "Dublin", "Italy": "Rome", "Japan": "Tokyo", "Kenya": "Nairobi",
    "Latvia": "Riga", "Mexico": "Mexico City", "Norway": "Oslo", "Peru": "Lima", "Poland": "Warsaw", "Portugal": "Lisbon",
    "Senegal": "Dakar", "Spain": "Madrid", "Sweden": "Stockholm", "Thailand": "Bangkok", "Turkey": "Ankara", "Vietnam": "Hanoi",
}  # fmt: skip
_CAPITAL_ASKS: Final = ("What is the capital of {country}?", "Do you know the capital of {country}?", "Which city is the capital of {country}?")
_SUM_ASKS: Final = ("What is {a} plus {b}?", "How much is {a} + {b}?", "I have {a} marbles and get {b} more. How many is that?")


def small_talk(draw: Draw) -> tuple[str, str]:
    """What the user says, and what the assistant answers."""
    topic = draw.whole(0, 3)
    if topic == 0:
        country = draw.pick(tuple(_CAPITALS))
        return draw.pick(_CAPITAL_ASKS).format(country=country), f"The capital of {country} is {_CAPITALS[country]}."
    if topic == 1:
        a, b = draw.whole(2, 60), draw.whole(2, 39)
        return draw.pick(_SUM_ASKS).format(a=a, b=b), f"{a} plus {b} is {a + b}."
    said, answered = draw.pick(_SAYINGS)
    name = draw.pick(NAMES)
    return said.format(name=name), answered.format(name=name)
