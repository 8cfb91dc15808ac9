"""Flights: searching, their state, seats, bags."""

from __future__ import annotations

from typing import Final

from ray_pipeline.data.tool_chats.function import Function, Spread, may, need
from ray_pipeline.data.tool_chats.pools import CITIES, ISO_DATES, TIMES
from ray_pipeline.data.tool_chats.values import Choice, Code, Whole, Words

_FLIGHT: Final = Code("@@####")
_SEATS: Final = tuple(f"{row}{letter}" for row in range(1, 39) for letter in "ABCDEF")

FUNCTIONS: Final = (
    Function(
        name="search_flights",
        description="Search flights between two cities on a date",
        parameters=(
            need("origin", Words(CITIES), "city of departure"),
            need("destination", Words(CITIES), "city of arrival"),
            need("date", Words(ISO_DATES), "YYYY-MM-DD"),
            may("cabin", Choice(("economy", "business", "first")), "class"),
            may("passengers", Whole(2, 8), "how many people"),
        ),
        orders=(
            "find a flight from {origin} to {destination} on {date}",
            "search flights to {destination} from {origin} on {date}",
            "look for {cabin} class flights from {origin} to {destination} on {date}",
            "find flights for {passengers} people from {origin} to {destination} on {date}",
            "search {cabin} class seats for {passengers} people from {origin} to {destination} on {date}",
        ),
        asks=(
            "Which flights go from {origin} to {destination} on {date}?",
            "I have to fly from {origin} to {destination} on {date}. What is there?",
            "What does it cost to fly {cabin} class from {origin} to {destination} on {date}?",
            "We are {passengers} people and want to fly to {destination} from {origin} on {date}. What is there?",
        ),
        result=lambda d, a: {"flight": _FLIGHT.draw(d), "departs": d.pick(TIMES), "price": d.whole(49, 890)},
        answers=(
            "Flight {flight} leaves {origin} at {departs} and costs {price} euros.",
            "{flight} to {destination} at {departs} on {date} costs {price} euros.",
        ),
        lacking=(
            ("Find me a flight from {origin} to {destination}.", "On which date would you like to fly to {destination}?"),
            ("I need a flight to {destination} on {date}.", "From which city would you like to fly to {destination}?"),
            ("Search flights from {origin} on {date}.", "Where would you like to fly from {origin}?"),
        ),
        again=("And on {date}?", "And to {destination}?", "And from {origin}?", "How about {cabin} class?"),
        spread=Spread(
            "date", ("Which flights go from {origin} to {destination} on {date}?", "Compare flights from {origin} to {destination} on {date}.")
        ),
    ),
    Function(
        name="get_flight_status",
        description="Get the status of a flight",
        parameters=(need("flight", _FLIGHT, "number of the flight"), may("date", Words(ISO_DATES), "YYYY-MM-DD, else today")),
        orders=(
            "check the status of flight {flight}",
            "tell me whether {flight} is on time",
            "look up flight {flight} on {date}",
            "find out from which gate {flight} leaves",
        ),
        asks=(
            "Is flight {flight} on time?",
            "Has {flight} landed yet?",
            "What is the status of {flight} on {date}?",
            "From which gate does {flight} leave on {date}?",
        ),
        result=lambda d, a: {
            "status": d.pick(("on time", "delayed", "boarding", "diverted", "cancelled")),
            "gate": f"{d.pick('ABCD')}{d.whole(1, 40)}",
        },
        answers=("Flight {flight} is {status}, gate {gate}.", "{flight} at gate {gate} is {status}."),
        lacking=(
            ("Is my flight on time?", "What is the number of your flight?"),
            ("What's the status of my flight on {date}?", "Which flight number do you mean?"),
            ("Has the plane landed?", "Please tell me the flight number."),
        ),
        again=("And {flight}?", "And on {date}?"),
        spread=Spread("flight", ("Are the flights {flight} on time?", "Check the status of flights {flight}.")),
    ),
    Function(
        name="choose_seat",
        description="Choose a seat on a booked flight",
        parameters=(need("flight", _FLIGHT, "number of the flight"), need("seat", Words(_SEATS), "row and letter")),
        orders=("reserve seat {seat} on flight {flight}", "put me in seat {seat} on {flight}", "choose {seat} as my seat for flight {flight}"),
        asks=(
            "I'd like to sit in {seat} on flight {flight}.",
            "Can I have seat {seat} on {flight}?",
            "Is {seat} on {flight} free? If so, I'll take that seat.",
            "My seat on {flight} should be {seat}.",
        ),
        result=lambda d, a: {"status": d.pick(("reserved", "confirmed")), "fee": d.whole(2, 45)},
        answers=("Seat {seat} on {flight} is {status} for {fee} euros.", "Your seat on {flight} is {status}: {seat}, with a fee of {fee} euros."),
        lacking=(
            ("Choose a seat for me on {flight}.", "Which seat would you like on {flight}?"),
            ("I want seat {seat}.", "On which flight would you like seat {seat}?"),
        ),
        again=("No, {seat} instead.", "And the same seat on {flight}.", "And {seat} too, for my friend."),
        spread=Spread("seat", ("Reserve the seats {seat} on flight {flight}.", "We'd like to sit in {seat} on {flight}.")),
    ),
    Function(
        name="add_bags",
        description="Add checked bags to a booked flight",
        parameters=(
            need("flight", _FLIGHT, "number of the flight"),
            need("bags", Whole(2, 9), "how many bags"),
            may("kilograms", Whole(10, 32), "weight of each, in kg"),
        ),
        orders=(
            "add {bags} bags to flight {flight}",
            "book {bags} checked bags for {flight}",
            "add {bags} bags of {kilograms} kg each to flight {flight}",
        ),
        asks=(
            "I'm taking {bags} bags on {flight}. Please add them.",
            "Could I check in {bags} bags on flight {flight}?",
            "On {flight} I need {bags} bags of {kilograms} kg each.",
            "What do {bags} more bags on {flight} cost? Add them.",
        ),
        result=lambda d, a: {"price": a["bags"] * d.whole(15, 60)},
        answers=("{bags} bags on {flight} cost {price} euros.", "I added {bags} bags to {flight} for {price} euros."),
        lacking=(
            ("Add bags to my flight {flight}.", "How many bags should I add to {flight}?"),
            ("Add {bags} bags to my flight.", "What is the number of the flight?"),
        ),
        again=("And the same for {flight}.", "Make it {bags} bags."),
        spread=Spread("flight", ("Add {bags} bags each to the flights {flight}.",)),
    ),
)
