"""Fitness: workouts, weight, goals, sleep, classes."""

from __future__ import annotations

from typing import Final

from ray_pipeline.data.tool_chats.function import Function, Spread, may, need
from ray_pipeline.data.tool_chats.pools import DAYS, TIMES
from ray_pipeline.data.tool_chats.values import Choice, Number, Whole, Words

_SPORTS: Final = ("running", "cycling", "swimming", "rowing", "hiking", "walking", "skating", "skiing")
_CLASSES: Final = (
    "aerobics", "aqua fitness", "ballet", "barre", "boxing", "breathing", "capoeira", "circuit training", "climbing", "core training",
    "fencing", "folk dance", "hip-hop", "judo", "karate", "kettlebell", "meditation", "pilates", "salsa", "spinning", "step", "stretching",
    "tai chi", "trampoline", "yoga", "zumba",
)  # fmt: skip

FUNCTIONS: Final = (
    Function(
        name="log_workout",
        description="Log a workout",
        parameters=(
            need("sport", Choice(_SPORTS), "kind of sport"),
            need("minutes", Whole(10, 180), "how long"),
            may("distance_km", Number(2, 40, 10), "how far, in km"),
        ),
        orders=(
            "log {minutes} minutes of {sport}",
            "enter {minutes} minutes of {sport} in my training diary",
            "log {distance_km} km of {sport} in {minutes} minutes",
            "save a {sport} workout of {minutes} minutes",
        ),
        asks=(
            "I've just done {minutes} minutes of {sport}. Log it.",
            "Today's workout was {sport} for {minutes} minutes. Please save it.",
            "I did {distance_km} km of {sport} in {minutes} minutes. Put that in my log.",
            "Could you log my {sport}? It was {minutes} minutes.",
        ),
        result=lambda d, a: {"calories": a["minutes"] * d.whole(5, 12)},
        answers=("Logged: {minutes} minutes of {sport}, about {calories} calories.", "Your {sport} is saved; you burned {calories} calories."),
        lacking=(
            ("I went {sport} today, log that.", "For how many minutes did you do {sport}?"),
            ("Log a workout of {minutes} minutes.", "What did you do for {minutes} minutes?"),
        ),
        again=("And the same for {sport}.", "Sorry, it was {minutes} minutes."),
    ),
    Function(
        name="log_weight",
        description="Log a body weight",
        parameters=(need("kilograms", Number(45, 120, 10), "weight in kg"), may("day", Words(DAYS), "weekday or date, as said; else today")),
        orders=(
            "log my weight as {kilograms} kg",
            "enter {kilograms} kg as my weight for {day}",
            "note that I weigh {kilograms} kg",
            "save a weight of {kilograms} kg for {day}",
        ),
        asks=(
            "I weigh {kilograms} kg now. Write it down.",
            "The scales say {kilograms} kg. Please log it.",
            "On {day} I weighed {kilograms} kg. Put that in my log.",
            "My weight on {day} was {kilograms} kg; can you log that?",
        ),
        result=lambda d, a: {"trend": d.pick(("rising", "falling", "steady"))},
        answers=("I logged {kilograms} kg; your trend is {trend}.", "Your weight is saved as {kilograms} kg, and it is {trend}."),
        lacking=(
            ("Log my weight.", "How many kilograms do you weigh?"),
            ("Enter my weight for {day}.", "What was your weight on {day}, in kg?"),
            ("I've just weighed myself, write it down.", "What did the scales say, in kg?"),
        ),
        again=("And {kilograms} kg for {day}.", "Sorry, it was {kilograms} kg."),
    ),
    Function(
        name="set_goal",
        description="Set a daily fitness goal",
        parameters=(
            need("goal", Choice(("steps", "calories", "metres")), "what is counted"),
            need("amount", Whole(500, 15000, 50), "how many a day"),
        ),
        orders=(
            "set my daily goal to {amount} {goal}",
            "change my goal to {amount} {goal} a day",
            "make {amount} {goal} my daily target",
        ),
        asks=(
            "I want to reach {amount} {goal} a day. Set that as my goal.",
            "My new goal is {amount} {goal} a day.",
            "Could my daily goal be {amount} {goal}?",
            "From now on I aim for {amount} {goal} every day.",
        ),
        result=lambda d, a: {"reached_percent": d.whole(0, 99)},
        answers=(
            "Your goal is {amount} {goal} a day; today you are at {reached_percent} percent.",
            "Goal set; so far you have reached {reached_percent} percent.",
        ),
        lacking=(
            ("Set a goal for my {goal}.", "How many {goal} a day should be the goal?"),
            ("Set my daily goal to {amount}.", "{amount} of what: steps, calories or metres?"),
        ),
        again=("And {amount} {goal}.", "Make it {amount}."),
    ),
    Function(
        name="get_sleep",
        description="Get the sleep data of a day",
        parameters=(need("day", Words(DAYS), "weekday or date, as said"),),
        orders=("tell me how I slept on {day}", "show me my sleep on {day}", "look up how many hours I slept on {day}"),
        asks=(
            "How long did I sleep on {day}?",
            "Did I sleep well on {day}?",
            "How was my night on {day}?",
            "What does the tracker say about my sleep on {day}?",
        ),
        result=lambda d, a: {"hours": Number(4, 9, 10).draw(d), "quality": d.pick(("good", "fair", "poor"))},
        answers=("On {day} you slept {hours} hours, and the quality was {quality}.", "You slept {hours} hours on {day}, with {quality} quality."),
        lacking=(
            ("How did I sleep?", "For which day would you like to know?"),
            ("How many hours did I sleep?", "Which day do you mean?"),
            ("Show me my sleep data.", "For which day should I show your sleep?"),
        ),
        again=("And on {day}?", "What about {day}?"),
        spread=Spread("day", ("How long did I sleep on {day}?", "Compare my sleep on {day}.")),
    ),
    Function(
        name="book_class",
        description="Sign up for a class at the gym",
        parameters=(
            need("course", Words(_CLASSES), "name of the class"),
            need("day", Words(DAYS), "weekday or date, as said"),
            need("time", Words(TIMES), "start, HH:MM"),
        ),
        orders=(
            "sign me up for the {course} class on {day} at {time}",
            "book me into {course} at the gym on {day} at {time}",
            "reserve a place for me in the {course} class at {time} on {day}",
        ),
        asks=(
            "I want to go to the {course} class on {day} at {time}. Sign me up.",
            "Is there a place for me in {course} at the gym on {day} at {time}? If so, book it.",
            "Could you book the {time} {course} class on {day} for me?",
            "I'd like to join the {course} class at {time} on {day}.",
        ),
        result=lambda d, a: {"status": d.pick(("booked", "on the waiting list")), "studio": d.whole(1, 6)},
        answers=("You are {status} for {course} on {day} at {time}.", "For {course} on {day} at {time} you are {status}, studio {studio}."),
        lacking=(
            ("Sign me up for the {course} class on {day}.", "At what time is the {course} class on {day}?"),
            ("Book me a class at the gym on {day} at {time}.", "Which class would you like to join on {day}?"),
            ("Sign me up for {course} at {time}.", "On which day would you like to do {course}?"),
        ),
        again=("And the {course} class at the same time.", "And on {day} too."),
        spread=Spread("day", ("Sign me up for the {course} class at {time} on {day}.",)),
    ),
)
