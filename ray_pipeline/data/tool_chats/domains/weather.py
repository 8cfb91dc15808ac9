"""Weather: forecasts, air, daylight, warnings."""

from __future__ import annotations

from typing import Any, Final

from ray_pipeline.data.tool_chats.function import Function, Spread, may, need
from ray_pipeline.data.tool_chats.pools import CITIES, DATES, DAYS
from ray_pipeline.data.tool_chats.values import Choice, Whole, Words

_SKIES: Final = ("sunny", "cloudy", "rainy", "windy", "foggy", "stormy", "snowy", "partly cloudy")


def _air(index: int) -> dict[str, Any]:
    return {"index": index, "level": "good" if index <= 50 else "moderate" if index <= 100 else "poor"}


FUNCTIONS: Final = (
    Function(
        name="get_forecast",
        description="Get the weather forecast for a city on a day",
        parameters=(
            need("city", Words(CITIES), "name of the city"),
            need("day", Words(DAYS), "weekday or date, as said"),
            may("unit", Choice(("celsius", "fahrenheit")), "unit of the temperature"),
        ),
        orders=(
            "tell me the weather in {city} on {day}",
            "check the forecast for {city} on {day}",
            "look up the weather on {day} for {city}",
            "show me the forecast for {city} on {day} in {unit}",
            "find out how warm it gets in {city} on {day} in {unit}",
        ),
        asks=(
            "What will the weather be in {city} on {day}?",
            "Will I need a coat in {city} on {day}?",
            "I'm travelling to {city} on {day}. What will the weather be like?",
            "How many degrees {unit} will it be in {city} on {day}?",
            "On {day} I'm in {city}. Is it going to rain?",
        ),
        result=lambda d, a: {"sky": d.pick(_SKIES), "high": d.whole(23, 95) if a.get("unit") == "fahrenheit" else d.whole(-5, 35)},
        answers=(
            "It will be {sky} in {city} on {day}, with up to {high} degrees.",
            "The forecast for {city} on {day} is {sky} with a high of {high} degrees.",
            "On {day}, expect {sky} weather and {high} degrees in {city}.",
        ),
        lacking=(
            ("What will the weather be on {day}?", "For which city should I check the weather on {day}?"),
            ("Tell me the weather in {city}.", "For which day would you like the forecast for {city}?"),
        ),
        again=("And in {city}?", "What about {city}?", "And on {day}?", "How is it on {day}?"),
        spread=Spread("city", ("What will the weather be in {city} on {day}?", "Compare the weather on {day} in {city}.")),
    ),
    Function(
        name="get_air_quality",
        description="Get the current air quality of a city",
        parameters=(
            need("city", Words(CITIES), "name of the city"),
            may("pollutant", Choice(("ozone", "pollen", "fine dust", "nitrogen dioxide")), "only this pollutant"),
        ),
        orders=(
            "check the air quality in {city}",
            "tell me how clean the air in {city} is",
            "look up the {pollutant} level in {city}",
            "show me the {pollutant} readings for {city}",
        ),
        asks=(
            "How good is the air in {city} right now?",
            "Is the air in {city} safe for a run?",
            "How much {pollutant} is in the air in {city}?",
            "What's the {pollutant} level in {city} at the moment?",
        ),
        result=lambda d, a: _air(d.whole(8, 180)),
        answers=("The air quality in {city} is {level}, with an index of {index}.", "In {city} the index is {index}, which is {level}."),
        lacking=(
            ("How is the air quality right now?", "In which city should I check the air quality?"),
            ("What is the {pollutant} level at the moment?", "For which city would you like to know the {pollutant} level?"),
        ),
        again=("And in {city}?", "Do the same for {city}.", "And how much {pollutant} is there?"),
        spread=Spread("city", ("How good is the air in {city} right now?", "Check the {pollutant} level in {city}.")),
    ),
    Function(
        name="get_sun_times",
        description="Get the times of sunrise and sunset in a city on a date",
        parameters=(need("city", Words(CITIES), "name of the city"), need("date", Words(DATES), "day and month, as said")),
        orders=(
            "look up sunrise and sunset in {city} on {date}",
            "tell me when the sun sets in {city} on {date}",
            "find out when the sun rises on {date} in {city}",
        ),
        asks=(
            "When does the sun rise in {city} on {date}?",
            "What time is sunset in {city} on {date}?",
            "How long will it be light in {city} on {date}?",
            "I want to watch the sunrise in {city} on {date}. When is it?",
        ),
        result=lambda d, a: {"sunrise": f"0{d.whole(4, 8)}:{d.whole(10, 59)}", "sunset": f"{d.whole(16, 21)}:{d.whole(10, 59)}"},
        answers=(
            "In {city} the sun rises at {sunrise} and sets at {sunset} on {date}.",
            "On {date} it is light in {city} from {sunrise} to {sunset}.",
        ),
        lacking=(
            ("When does the sun set on {date}?", "In which city would you like to watch the sunset on {date}?"),
            ("When is sunrise in {city}?", "On which date would you like to know the sunrise in {city}?"),
        ),
        again=("And in {city}?", "And on {date}?"),
        spread=Spread("city", ("When does the sun rise in {city} on {date}?", "Tell me the times of sunset in {city} on {date}.")),
    ),
    Function(
        name="set_weather_alert",
        description="Set an alert for a kind of weather in a city",
        parameters=(
            need("city", Words(CITIES), "name of the city"),
            need("event", Choice(("storm", "frost", "heat", "flood", "snow")), "what to warn of"),
            may("hours_ahead", Whole(2, 48), "how many hours before"),
        ),
        orders=(
            "warn me of {event} in {city}",
            "set a {event} alert for {city}",
            "turn on {event} warnings for {city}",
            "alert me {hours_ahead} hours before any {event} in {city}",
        ),
        asks=(
            "I'd like to get {event} warnings for {city}.",
            "My parents live in {city}. Warn me if there is a risk of {event}.",
            "I want a {event} alert for {city}, {hours_ahead} hours ahead.",
        ),
        result=lambda d, a: {"alert": d.pick(("active", "enabled", "on"))},
        answers=("The {event} alert for {city} is {alert}.", "Done, your {event} warning for {city} is now {alert}."),
        lacking=(
            ("Set a {event} alert for me.", "For which city should I set the {event} alert?"),
            ("Set a weather alert for {city}.", "What should I warn you of in {city}: storm, frost, heat, flood or snow?"),
        ),
        again=("Do the same for {city}.", "And one for {event}, please."),
        spread=Spread("city", ("Set a {event} alert for {city}.", "I'd like to get {event} warnings for {city}.")),
    ),
)
