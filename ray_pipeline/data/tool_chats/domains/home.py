"""Home: lights, heating, doors, the vacuum cleaner."""

from __future__ import annotations

from typing import Final

from ray_pipeline.data.tool_chats.function import Function, Spread, may, need
from ray_pipeline.data.tool_chats.values import Choice, Flag, Number, Several, Whole, Words

_ROOMS: Final = (
    "attic", "back room", "basement", "bathroom", "bedroom", "boiler room", "cellar", "children's room", "cloakroom", "conservatory",
    "corridor", "dining room", "dressing room", "garage", "guest room", "gym", "hall", "home office", "kitchen", "landing", "laundry",
    "library", "living room", "loft", "lounge", "music room", "nursery", "pantry", "playroom", "porch", "shed", "spare room", "stairwell",
    "storeroom", "studio", "study", "summer house", "sunroom", "utility room", "workshop",
)  # fmt: skip
_DOOR: Final = Choice(("front", "back", "side", "garage", "cellar", "patio"))

FUNCTIONS: Final = (
    Function(
        name="switch_light",
        description="Switch the light in a room on or off",
        parameters=(need("room", Words(_ROOMS), "name of the room"), need("on", Flag("on", "off"), "true for on")),
        orders=(
            "turn {on} the light in the {room}",
            "switch the {room} light {on}",
            "turn the lamp in the {room} {on}",
        ),
        asks=(
            "The light in the {room} should be {on}.",
            "Could the {room} light be switched {on}?",
            "Lights {on} in the {room}, please.",
            "I want the light in the {room} {on}.",
        ),
        result=lambda d, a: {"light": "on" if a["on"] else "off"},
        answers=("The light in the {room} is {light} now.", "Done, the {room} light is {light}."),
        lacking=(
            ("Turn {on} the light.", "In which room should I turn {on} the light?"),
            ("Do something about the light in the {room}.", "Should the light in the {room} be on or off?"),
        ),
        again=("And in the {room}.", "The same in the {room}.", "Now turn it {on} again."),
        spread=Spread("room", ("Turn {on} the lights in the {room}.", "Switch the light {on} in the {room}.")),
    ),
    Function(
        name="dim_light",
        description="Set the brightness of the light in a room",
        parameters=(
            need("room", Words(_ROOMS), "name of the room"),
            need("percent", Whole(5, 95, 5), "brightness in percent"),
            may("colour", Choice(("warm white", "cold white", "red", "green", "blue", "orange", "purple")), "colour of the light"),
        ),
        orders=(
            "dim the light in the {room} to {percent} percent",
            "set the {room} light to {percent} percent brightness",
            "make the {room} light {colour} at {percent} percent",
            "set the lamp in the {room} to {colour} and {percent} percent",
        ),
        asks=(
            "I'd like the {room} light at {percent} percent.",
            "Could the light in the {room} be {percent} percent bright?",
            "The {room} needs {colour} light at {percent} percent.",
            "{percent} percent brightness in the {room}, please.",
        ),
        result=lambda d, a: {"brightness": a["percent"]},
        answers=("The light in the {room} is at {brightness} percent.", "I've set the {room} light to {brightness} percent."),
        lacking=(
            ("Dim the light in the {room}.", "To how many percent should I dim the light in the {room}?"),
            ("Dim the light to {percent} percent.", "In which room should I dim the light to {percent} percent?"),
            ("I'd like {colour} light at {percent} percent.", "In which room would you like {colour} light?"),
        ),
        again=("And the {room} too.", "Rather {percent} percent.", "Make it {colour}."),
        spread=Spread("room", ("Dim the lights in the {room} to {percent} percent.", "Set the {room} lights to {colour} at {percent} percent.")),
    ),
    Function(
        name="set_thermostat",
        description="Set the temperature of a room",
        parameters=(
            need("room", Words(_ROOMS), "name of the room"),
            need("degrees", Number(12, 26, 2), "temperature in degrees Celsius"),
            may("hours", Whole(2, 12), "for how many hours"),
        ),
        orders=(
            "heat the {room} to {degrees} degrees",
            "set the thermostat in the {room} to {degrees} degrees",
            "set the {room} to {degrees} degrees for {hours} hours",
            "keep the {room} at {degrees} degrees for {hours} hours",
        ),
        asks=(
            "I'd like {degrees} degrees in the {room}.",
            "Could the {room} be at {degrees} degrees?",
            "The {room} feels wrong. Set it to {degrees} degrees.",
            "For the next {hours} hours, I want {degrees} degrees in the {room}.",
        ),
        result=lambda d, a: {"target": a["degrees"], "now": d.whole(10, 28)},
        answers=("The {room} is set to {target} degrees; it has {now} now.", "The thermostat in the {room} is at {target} degrees."),
        lacking=(
            ("Change the temperature in the {room}.", "Which temperature would you like in the {room}?"),
            ("Set the thermostat to {degrees} degrees.", "In which room would you like {degrees} degrees?"),
        ),
        again=("And the {room}.", "Better {degrees} degrees.", "Do the same in the {room}."),
        spread=Spread("room", ("Heat the {room} to {degrees} degrees.", "I'd like {degrees} degrees in the {room}.")),
    ),
    Function(
        name="lock_door",
        description="Lock or unlock a door of the house",
        parameters=(need("door", _DOOR, "which door"), need("locked", Flag("lock", "unlock"), "true to lock, false to unlock")),
        orders=("{locked} the {door} door", "{locked} the {door} door for me", "go and {locked} the {door} door"),
        asks=(
            "Could you {locked} the {door} door?",
            "I'd like you to {locked} the {door} door now.",
            "The {door} door: {locked} it, please.",
            "Would you {locked} the {door} door for me?",
        ),
        result=lambda d, a: {"state": "locked" if a["locked"] else "unlocked"},
        answers=("The {door} door is {state}.", "Done: the {door} door is now {state}."),
        lacking=(
            ("Could you {locked} the door?", "Which door should I {locked}?"),
            ("I'm at the {door} door.", "Should I lock or unlock the {door} door?"),
        ),
        again=("And the {door} door.", "And now {locked} it again."),
        spread=Spread("door", ("Please {locked} the {door} doors.", "Could you {locked} the {door} doors?")),
    ),
    Function(
        name="start_vacuum",
        description="Start the robot vacuum cleaner in some rooms",
        parameters=(
            need("rooms", Several(_ROOMS, 1, 3), "names of the rooms, in order"),
            may("mode", Choice(("quiet", "normal", "turbo")), "how strongly it cleans"),
        ),
        orders=(
            "vacuum the {rooms}",
            "start the vacuum cleaner in the {rooms}",
            "let the robot vacuum the {rooms} in {mode} mode",
            "clean the {rooms} with the robot in {mode} mode",
        ),
        asks=(
            "The {rooms} could do with vacuuming. Start the robot.",
            "Could the robot vacuum the {rooms}?",
            "It's dusty in the {rooms}. Run the vacuum in {mode} mode.",
            "I'd like the {rooms} vacuumed.",
        ),
        result=lambda d, a: {"minutes": d.whole(10, 90), "battery": d.whole(30, 100)},
        answers=("The vacuum cleaner has started and needs {minutes} minutes.", "It is at work in the {rooms}, with {battery} percent battery."),
        lacking=(
            ("Start the vacuum cleaner.", "Which rooms should I have vacuumed?"),
            ("Run the vacuum in {mode} mode.", "In which rooms should it run in {mode} mode?"),
            ("It's time to vacuum.", "Which rooms should the robot clean?"),
        ),
        again=("Then do the same in the {rooms}.", "Run it again in {mode} mode."),
    ),
)
