"""Maps: ways, places, addresses, where one is."""

from __future__ import annotations

from typing import Final

from ray_pipeline.data.tool_chats.function import Function, Spread, may, need
from ray_pipeline.data.tool_chats.pools import CITIES, NAMES, STREETS
from ray_pipeline.data.tool_chats.values import Choice, Nested, Number, Whole, Words

_SIGHTS: Final = tuple(
    f"{first} {second}"
    for first in ("Central", "City", "East", "Grand", "King's", "New", "Old", "Royal", "South", "West")
    for second in ("Arena", "Garden", "Harbour", "Hospital", "Library", "Market", "Museum", "Park", "Station", "Theatre")
)
_PLACES: Final = (
    "bakery", "bank", "bike shop", "bookshop", "bus stop", "cafe", "car park", "cash machine", "chemist", "church", "cinema", "climbing hall",
    "dentist", "florist", "gym", "hairdresser", "hostel", "hotel", "laundry", "library", "museum", "park", "petrol station", "pizzeria",
    "playground", "police station", "post office", "pub", "restaurant", "supermarket", "sushi bar", "swimming pool", "toy shop", "vet",
)  # fmt: skip
_LABELS: Final = ("home", "work", "gym", "school", "garage", "grandma", "office", "studio", "nursery", "flat", "surgery", "workshop")
_ADDRESS: Final = Nested({"number": Whole(1, 180), "street": Words(STREETS), "city": Words(CITIES)}, "{number} {street}, {city}")

FUNCTIONS: Final = (
    Function(
        name="get_directions",
        description="Get directions from one place to another",
        parameters=(
            need("origin", Words(_SIGHTS), "where one starts"),
            need("destination", Words(_SIGHTS), "where one goes"),
            may("mode", Choice(("car", "bus", "bike", "tram")), "means of transport"),
        ),
        orders=(
            "show me the way from {origin} to {destination}",
            "give me directions from {origin} to {destination}",
            "tell me how to get to {destination} from {origin}",
            "find the best way by {mode} from {origin} to {destination}",
        ),
        asks=(
            "How do I get from {origin} to {destination}?",
            "How long is the way from {origin} to {destination} by {mode}?",
            "I'm at {origin} and want to go to {destination}. Which way is it?",
            "What's the way to {destination} by {mode} if I start at {origin}?",
        ),
        result=lambda d, a: {"minutes": d.whole(5, 75), "via": d.pick(STREETS)},
        answers=(
            "It takes {minutes} minutes from {origin} to {destination}, via {via}.",
            "Go via {via}: you reach {destination} in {minutes} minutes.",
        ),
        lacking=(
            ("How do I get to {destination}?", "Where do you start from?"),
            ("Give me directions from {origin}.", "Where do you want to go from {origin}?"),
        ),
        again=("And by {mode}?", "And to {destination}?", "How is it from {origin}?"),
        spread=Spread("destination", ("How far is it from {origin} to {destination}?", "Give me directions from {origin} to each of {destination}.")),
    ),
    Function(
        name="find_places",
        description="Find places of a kind in a city",
        parameters=(
            need("kind", Words(_PLACES), "what is looked for, singular"),
            need("city", Words(CITIES), "name of the city"),
            may("radius_km", Whole(2, 30), "distance to the centre at most"),
        ),
        orders=(
            "find a {kind} in {city}",
            "look for a {kind} in {city}",
            "find me a {kind} within {radius_km} km of the centre of {city}",
            "show me a good {kind} in {city}",
        ),
        asks=(
            "Is there a {kind} in {city}?",
            "Where is a {kind} in {city}?",
            "I'm in {city} and need a {kind}. Where can I find one?",
            "Which {kind} is at most {radius_km} km from the centre of {city}?",
        ),
        result=lambda d, a: {"street": d.pick(STREETS), "rating": Number(3, 5, 10).draw(d)},
        answers=("There is a {kind} in {street}, {city}, rated {rating}.", "I found a {kind} in {city}: it is in {street} and rated {rating}."),
        lacking=(
            ("Where can I find a {kind}?", "In which city should I look for a {kind}?"),
            ("Find me something nice in {city}.", "What kind of place are you looking for in {city}?"),
        ),
        again=("And in {city}?", "And a {kind}?", "Is there a {kind} too?"),
        spread=Spread("city", ("Find a {kind} in {city}.", "Is there a {kind} in {city}?")),
    ),
    Function(
        name="save_address",
        description="Save an address under a name",
        parameters=(need("label", Words(_LABELS), "name of the address"), need("address", _ADDRESS, "the address")),
        orders=(
            'save {address} as "{label}"',
            'store the address {address} under "{label}"',
            'remember "{label}" as {address}',
        ),
        asks=(
            'My address for "{label}" is {address}. Please save it.',
            'Could you keep {address} as "{label}" on the map?',
            '{address} is the place I call "{label}". Save it.',
            'From now on "{label}" is {address}.',
        ),
        result=lambda d, a: {"status": d.pick(("saved", "stored"))},
        answers=('The address {address} is {status} as "{label}".', 'I have {status} "{label}": {address}.'),
        lacking=(
            ('Save an address as "{label}".', 'What is the address of "{label}"?'),
            ("Save the address {address}.", "Under which name should I save {address}?"),
        ),
        again=('Save the same address as "{label}" too.', "No, it is {address}."),
    ),
    Function(
        name="share_location",
        description="Share a live location with a contact for some minutes",
        parameters=(need("contact", Words(NAMES), "name of the contact"), need("minutes", Whole(5, 240, 5), "for how many minutes")),
        orders=(
            "share my location with {contact} for {minutes} minutes",
            "let {contact} see where I am for {minutes} minutes",
            "send {contact} my live location for {minutes} minutes",
        ),
        asks=(
            "{contact} should see where I am for the next {minutes} minutes.",
            "Can {contact} follow me on the map for {minutes} minutes?",
            "I'm meeting {contact}. Share where I am for {minutes} minutes.",
            "For {minutes} minutes, show {contact} my location.",
        ),
        result=lambda d, a: {"status": d.pick(("shared", "live"))},
        answers=(
            "Your location is {status} for {minutes} minutes; {contact} can see it.",
            "Done: it is {status}, and {contact} can see it for {minutes} minutes.",
        ),
        lacking=(
            ("Share my location with {contact}.", "For how many minutes should {contact} see where you are?"),
            ("Share my location for {minutes} minutes.", "With whom should I share your location?"),
        ),
        again=("And with {contact}, please.", "Make it {minutes} minutes."),
        spread=Spread("contact", ("Share my location with {contact} for {minutes} minutes.", "Let {contact} see where I am for {minutes} minutes.")),
    ),
)
